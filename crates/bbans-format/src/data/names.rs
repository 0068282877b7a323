//! Names of the files of a set.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use bbans_core::{Error, Result};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::bytes::{Recorder, put_varint};
use crate::container::{MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_NAMES};

/// Most bytes of a name, or of a part of a path.
const MAX_NAME: usize = 255;
/// Most bytes of a path.
const MAX_PATH: usize = 1024;
/// Most parts of a path: folders, and a name.
pub(super) const MAX_PARTS: usize = 32;

/// File names, or paths of files below a folder, in strictly ascending order. A copy shares them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(Arc<Lines>);

/// One text, since there may be millions of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    text: String,
    ends: Vec<u32>,
}

impl Names {
    /// These names, in order.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if one cannot be restored in a folder, they do not
    /// ascend, or they are more than a file may hold.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        Self::gather(names, Builder::default())
    }

    /// These paths, in order: names with `/` between them, each like one of [`Names::new`].
    ///
    /// # Errors
    /// Likewise, and if a path leads through one of the files.
    pub(crate) fn of_tree<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        Self::gather(paths, Builder::of_tree())
    }

    fn gather<'a>(names: impl IntoIterator<Item = &'a str>, mut builder: Builder) -> Result<Self> {
        names.into_iter().try_for_each(|name| builder.push(name))?;
        Ok(builder.names())
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, i: usize) -> Option<&str> {
        self.0.get(i)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|i| self.get(i))
    }

    /// A line each, as a zlib stream after its length.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        (self.iter()).try_for_each(|name| writeln!(encoder, "{name}"))?;
        let compressed = encoder.finish()?;
        put_varint(out, compressed.len() as u64);
        out.extend(compressed);
        Ok(())
    }

    /// Reads what [`Names::new`] made.
    pub(crate) fn read<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        Self::read_into(r, Builder::default())
    }

    /// Reads what [`Names::of_tree`] made.
    pub(crate) fn read_tree<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        Self::read_into(r, Builder::of_tree())
    }

    /// Each is checked before the next is read, since few bytes can hold many.
    fn read_into<R: Read>(r: &mut Recorder<'_, R>, mut builder: Builder) -> Result<Self> {
        let bad = || Error::corruption("the names of the files in the header are damaged");
        let len = r.varint(MAX_HEADER_BYTES, "the length of the names")?;
        let compressed = r.bytes(len)?;
        let mut input = BufReader::new(ZlibDecoder::new(&compressed[..]));
        let longest = if builder.tree { MAX_PATH } else { MAX_NAME } as u64 + 1;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut input).take(longest).read_until(b'\n', &mut line);
            if read.map_err(|e| bad().because(e))? == 0 {
                return Ok(builder.names());
            }
            let name = line.strip_suffix(b"\n");
            let name = name.and_then(|n| str::from_utf8(n).ok()).ok_or_else(bad)?;
            builder.push(name).map_err(|e| bad().because(e))?;
        }
    }
}

impl Lines {
    fn get(&self, i: usize) -> Option<&str> {
        let start = match i.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start as usize..*self.ends.get(i)? as usize)
    }

    fn last(&self) -> Option<&str> {
        self.get(self.ends.len().checked_sub(1)?)
    }

    fn push(&mut self, name: &str) -> Result<()> {
        let bytes = (self.text.len() + name.len() + self.ends.len() + 1) as u64;
        let end = u32::try_from(self.text.len() + name.len());
        match end {
            Ok(end) if self.ends.len() < MAX_NAMES && bytes <= MAX_NAME_BYTES => {
                self.text.push_str(name);
                self.ends.push(end);
                Ok(())
            }
            _ => Err(Error::invalid_argument(format!(
                "too many files for one; the limits are {MAX_NAMES} names and {MAX_NAME_BYTES} bytes of \
                 names"
            ))),
        }
    }
}

/// Gathers names that are checked against each other.
#[derive(Default)]
struct Builder {
    lines: Lines,
    /// Whether they are paths.
    tree: bool,
    /// Lengths of the names that the last one starts with, ascending. In the order of bytes all
    /// between a name and what starts with it start with it too, so no others can be its folders.
    starts: Vec<usize>,
}

impl Builder {
    fn of_tree() -> Self {
        Self {
            tree: true,
            ..Self::default()
        }
    }

    fn push(&mut self, name: &str) -> Result<()> {
        match self.tree {
            true => check_path(name)?,
            false => check(name)?,
        }
        if let Some(last) = self.lines.last() {
            if last >= name {
                return Err(Error::invalid_argument(format!(
                    "the name {name:?} does not come after the one before it"
                )));
            }
            let common = last.bytes().zip(name.bytes()).take_while(|(a, b)| a == b);
            let common = common.count();
            self.starts.push(last.len());
            self.starts.retain(|&len| len <= common);
        }
        let bytes = name.as_bytes();
        if (self.starts.iter()).any(|&len| bytes.get(len) == Some(&b'/')) {
            return Err(Error::invalid_argument(format!(
                "the path {name:?} leads through a file; expected folders alone"
            )));
        }
        self.lines.push(name)
    }

    fn names(self) -> Names {
        Names(Arc::new(self.lines))
    }
}

/// A path that can be restored below a folder, and leads nowhere else.
fn check_path(path: &str) -> Result<()> {
    if path.len() > MAX_PATH || path.split('/').count() > MAX_PARTS {
        return Err(Error::invalid_argument(format!(
            "the path {path:?} is too long or too deep; the limits are {MAX_PATH} bytes and {MAX_PARTS} \
             names"
        )));
    }
    (path.split('/').try_for_each(check)).map_err(|e| match path.contains('/') {
        true => e.context(format!("the path {path:?}")),
        false => e,
    })
}

/// A name that can be restored in one folder, and leads nowhere else.
pub(super) fn check(name: &str) -> Result<()> {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || name.contains(forbidden)
    {
        return Err(Error::invalid_argument(format!(
            "the name {name:?} of a file cannot be restored everywhere; rename it"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_come_back_and_only_in_order() {
        for names in [&[][..], &["a.png"], &["a", "aa", "b", "ä", "€.png"]] {
            let names = Names::new(names.iter().copied()).unwrap();
            let mut bytes = Vec::new();
            names.write(&mut bytes).unwrap();
            let mut input = bytes.as_slice();
            let read = Names::read(&mut Recorder::new(&mut input)).unwrap();
            assert_eq!(read, names);
            assert_eq!(read.iter().count(), names.len());
            assert_eq!(read.get(names.len()), None);
        }
        for names in [&["b", "a"][..], &["a", "a"], &[""], &["a/b"], &[".a"]] {
            assert!(Names::new(names.iter().copied()).is_err(), "{names:?}");
        }
        let long = "n".repeat(256);
        assert!(Names::new([&long[1..]]).is_ok());
        assert!(Names::new([long.as_str()]).is_err());
    }

    #[test]
    fn paths_come_back_and_only_below_one_folder() {
        let read = |names: &Names, tree: bool| {
            let mut bytes = Vec::new();
            names.write(&mut bytes).unwrap();
            let mut input = bytes.as_slice();
            let mut input = Recorder::new(&mut input);
            match tree {
                true => Names::read_tree(&mut input),
                false => Names::read(&mut input),
            }
        };
        let deep = |parts: usize| vec!["d"; parts].join("/");
        let long = |bytes: usize| {
            let folders = format!("{}/", "f".repeat(255)).repeat(4);
            format!("{}{}", &folders[5..], "n".repeat(bytes - folders.len() + 5))
        };
        for paths in [
            &["a.png"][..],
            &["a", "a!b", "a0/b", "aa/a", "b/a", "b/c/d"],
            &["a-b/c", "a/b", "a/b-c/d", "a/b.png", "a/c"],
            &[&deep(32)],
            &[&long(1024)],
        ] {
            let names = Names::of_tree(paths.iter().copied()).unwrap();
            assert!(names.iter().eq(paths.iter().copied()));
            assert_eq!(read(&names, true).unwrap(), names);
            let flat = !paths.iter().any(|path| path.contains('/'));
            assert_eq!(read(&names, false).is_ok(), flat);
        }
        for paths in [
            &["a", "a/b"][..],
            &["a", "a!b", "a!c/d", "a-b", "a/b"],
            &["x/a", "x/a!", "x/a/b/c"],
            &["b/a", "a/b"],
            &["a/b", "a/b"],
            &["/a"],
            &["a/"],
            &["a//b"],
            &["a/./b"],
            &["../a"],
            &["a/.b"],
            &["a\\b/c"],
            &[&deep(33)],
            &[&long(1025)],
            &[&format!("a/{}", "n".repeat(256))],
        ] {
            let error = Names::of_tree(paths.iter().copied()).map(|_| paths);
            assert!(error.is_err(), "{paths:?}");
        }
    }

    proptest! {
        #[test]
        fn files_are_no_folders(paths in prop::collection::btree_set("[a!](/?[a!0]){0,4}", 0..8)) {
            let folder = |path: &String| paths.iter().any(|p| p.starts_with(&format!("{path}/")));
            let names = Names::of_tree(paths.iter().map(String::as_str));
            prop_assert_eq!(names.is_err(), paths.iter().any(folder));
        }
    }
}
