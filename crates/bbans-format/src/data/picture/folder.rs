//! Folders of pictures, with the folders in them.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use bbans_core::{Error, Result};

use crate::container::MAX_NAMES;
use crate::data::names::{MAX_PARTS, Names};

/// Pictures that may be in one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// PNG.
    Png,
    /// PBM, PGM and PPM.
    Pnm,
}

impl Family {
    /// That of a file's name, by its extension.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "png" => Some(Self::Png),
            "pbm" | "pgm" | "ppm" | "pnm" => Some(Self::Pnm),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Pnm => "PNM",
        }
    }
}

/// The pictures in a folder and those in it: their paths below it, in the order of their bytes, and
/// where they are.
///
/// # Errors
/// If there is none, or anything else, be it an empty folder, since that would be lost.
pub(crate) fn list(folder: &Path) -> Result<(Names, Vec<PathBuf>)> {
    let mut walk = Walk {
        folder,
        family: None,
        names: vec![],
        paths: vec![],
    };
    walk.enter(folder, "", 1)?;
    if walk.names.is_empty() {
        return Err(walk.error("no picture; expected at least one"));
    }
    let names = Names::of_tree(walk.names.iter().map(String::as_str));
    let names = names.map_err(|e| e.context(folder.display()))?;
    Ok((names, walk.paths))
}

struct Walk<'a> {
    folder: &'a Path,
    /// That of the first picture.
    family: Option<Family>,
    names: Vec<String>,
    paths: Vec<PathBuf>,
}

impl Walk<'_> {
    /// Takes what is in a folder whose path ends with `/`; `depth` is that of its files.
    fn enter(&mut self, at: &Path, below: &str, depth: usize) -> Result<()> {
        if depth > MAX_PARTS {
            return Err(self.error(format!(
                "{below} is too deep; the limit is {MAX_PARTS} names in a path"
            )));
        }
        let entries = self.entries(at, below)?;
        if entries.is_empty() && depth > 1 {
            return Err(self.lost(below, "is an empty folder"));
        }
        for (name, entry) in entries {
            let path = entry.path();
            if name.ends_with('/') {
                self.enter(&path, &format!("{below}{name}"), depth + 1)?;
            } else {
                let file = entry.file_type().is_ok_and(|kind| kind.is_file());
                self.take(format!("{below}{name}"), path, file)?;
            }
        }
        Ok(())
    }

    /// What is in a folder. Folders end with `/`, so that paths come in the order of their bytes.
    fn entries(&self, at: &Path, below: &str) -> Result<Vec<(String, DirEntry)>> {
        let failed = |e: std::io::Error| Error::from(e).context(at.display());
        let mut entries = Vec::new();
        for entry in fs::read_dir(at).map_err(failed)? {
            if self.names.len() + entries.len() >= MAX_NAMES {
                return Err(self.error(format!(
                    "too many files for one; the limit is {MAX_NAMES} names"
                )));
            }
            let entry = entry.map_err(failed)?;
            // Not followed: where a link leads would not come back, and it may lead in a circle.
            let kind = entry.file_type().map_err(failed)?;
            let mut name = entry.file_name().into_string().map_err(|name| {
                self.error(format!(
                    "{below}{}: a name that is not UTF-8",
                    name.display()
                ))
            })?;
            if kind.is_dir() {
                name.push('/');
            }
            entries.push((name, entry));
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(entries)
    }

    /// Takes what should be a picture like those before it.
    fn take(&mut self, name: String, path: PathBuf, file: bool) -> Result<()> {
        if !file {
            return Err(self.lost(&name, "is a link or no regular file"));
        }
        match (Family::of(&name), self.family) {
            (None, None) => Err(self.lost(&name, "is no PNG or PNM file")),
            (found, Some(first)) if found != Some(first) => {
                Err(self.lost(&name, &format!("is no {} file", first.name())))
            }
            (found, _) => {
                self.family = found;
                self.names.push(name);
                self.paths.push(path);
                Ok(())
            }
        }
    }

    fn lost(&self, name: &str, what: &str) -> Error {
        let expected = match self.family {
            Some(family) => family.name(),
            None => "PNG",
        };
        self.error(format!(
            "{name} {what} and would be lost; expected a folder of {expected} files alone"
        ))
    }

    fn error(&self, problem: impl std::fmt::Display) -> Error {
        Error::invalid_argument(format!("{}: {problem}", self.folder.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        /// One of empty files at these paths, and of folders where they end with `/`.
        fn new(test: &str, paths: &[&str]) -> Self {
            let name = format!("bbans-folder-{}-{test}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
            for path in paths {
                let path = folder.join(path);
                if path.to_string_lossy().ends_with('/') {
                    fs::create_dir_all(path).unwrap();
                } else {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, []).unwrap();
                }
            }
            Self(folder)
        }

        fn refused(&self) -> String {
            format!("{:#}", list(&self.0).unwrap_err())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn pictures_come_in_the_order_of_their_bytes() {
        for (test, sorted) in [
            (
                "png",
                &[
                    "B/c.PNG",
                    "a!b/1.png",
                    "a-b.png",
                    "a.png",
                    "a/b-c/x.png",
                    "a/b.png",
                    "a/b/x.png",
                ][..],
            ),
            ("pnm", &["a.pgm", "b.ppm", "c.pnm", "d/e/f/g.pbm"]),
        ] {
            let mut paths = sorted.to_vec();
            paths.reverse();
            let folder = Folder::new(test, &paths);
            let (names, paths) = list(&folder.0).unwrap();
            assert!(names.iter().eq(sorted.iter().copied()));
            let expected: Vec<_> = sorted.iter().map(|name| folder.0.join(name)).collect();
            assert_eq!(paths, expected);
        }
    }

    #[test]
    fn what_would_be_lost_is_named() {
        let deep = "d/".repeat(32) + "a.png";
        for (i, (paths, expected)) in [
            (&[][..], "no picture; expected at least one"),
            (
                &["a.png", "b/c.txt"],
                "b/c.txt is no PNG file and would be lost",
            ),
            (
                &["a.pgm", "b.png"],
                "b.png is no PNM file and would be lost",
            ),
            (
                &["a.png", "b.ppm"],
                "b.ppm is no PNG file and would be lost",
            ),
            (
                &["README", "b.png"],
                "README is no PNG or PNM file and would be lost",
            ),
            (
                &["a.png", "b/c/"],
                "b/c/ is an empty folder and would be lost",
            ),
            (&[".a.png"], "cannot be restored everywhere"),
            (&[".git/a.png"], "cannot be restored everywhere"),
            (&[&deep], "is too deep"),
        ]
        .into_iter()
        .enumerate()
        {
            let found = Folder::new(&format!("lost-{i}"), paths).refused();
            assert!(found.contains(expected), "{found} is not {expected}");
        }
        let deepest = "d/".repeat(31) + "a.png";
        assert!(list(&Folder::new("deepest", &[&deepest]).0).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        use std::os::unix::fs::symlink;
        for (test, to) in [("link", "a.png"), ("circle", ".")] {
            let folder = Folder::new(test, &["a.png"]);
            symlink(to, folder.0.join("b.png")).unwrap();
            assert!(
                folder
                    .refused()
                    .contains("b.png is a link or no regular file")
            );
        }
    }
}
