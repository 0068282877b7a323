//! Names of the files of a set.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;

use bbans_core::{Error, Result};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use crate::bytes::{Recorder, put_varint};
use crate::container::{MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_NAMES};

/// Most bytes of a name.
const MAX_NAME: usize = 255;

/// File names in strictly ascending order. A copy shares them.
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
        let mut lines = Lines::default();
        names.into_iter().try_for_each(|name| lines.push(name))?;
        Ok(Self(Arc::new(lines)))
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

    /// Reads them; each is checked before the next is read, since few bytes can hold many.
    pub(crate) fn read<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        let bad = || Error::corruption("the names of the PNG files in the header are damaged");
        let len = r.varint(MAX_HEADER_BYTES, "the length of the names")?;
        let compressed = r.bytes(len)?;
        let mut input = BufReader::new(ZlibDecoder::new(&compressed[..]));
        let (mut lines, mut line) = (Lines::default(), Vec::new());
        loop {
            line.clear();
            let longest = MAX_NAME as u64 + 1;
            let read = (&mut input).take(longest).read_until(b'\n', &mut line);
            if read.map_err(|e| bad().because(e))? == 0 {
                return Ok(Self(Arc::new(lines)));
            }
            let name = line.strip_suffix(b"\n");
            let name = name.and_then(|n| str::from_utf8(n).ok()).ok_or_else(bad)?;
            lines.push(name).map_err(|e| bad().because(e))?;
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

    fn push(&mut self, name: &str) -> Result<()> {
        check(name)?;
        let last = self.ends.len().checked_sub(1).and_then(|i| self.get(i));
        if last.is_some_and(|last| last >= name) {
            return Err(Error::invalid_argument(format!(
                "the name {name:?} does not come after the one before it"
            )));
        }
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

/// A name that can be restored in one folder, and leads nowhere else.
pub(super) fn check(name: &str) -> Result<()> {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || name.contains(forbidden)
    {
        return Err(Error::invalid_argument(format!(
            "the name {name:?} of a PNG file cannot be restored everywhere; rename it"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
