//! Input files and standard input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bbans::DataReader;

use super::Origin;

/// Whether a path stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens a file, or standard input for `-`, which has no origin.
///
/// # Errors
/// If it cannot be opened, is a folder, or standard input is a terminal.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<Origin>)> {
    if is_dash(path) {
        if io::stdin().is_terminal() {
            bail!("nothing to read: name a file, or pipe data in");
        }
        return Ok((Box::new(io::stdin()), None));
    }
    let cannot = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(cannot)?;
    let metadata = file.metadata().with_context(cannot)?;
    if metadata.is_dir() {
        bail!(
            "cannot read {}: it is a folder; expected a file",
            path.display()
        );
    }
    let origin = Origin::new(path, metadata).with_context(cannot)?;
    Ok((Box::new(file), Some(origin)))
}

/// Opens a data file, a folder of PNG files, or standard input for `-`.
///
/// # Errors
/// If it cannot be read or is no data that bbans knows.
pub(crate) fn open_data(path: &Path) -> Result<(DataReader, Option<Origin>)> {
    if path.is_dir() {
        let origin = path.metadata().and_then(|m| Origin::new(path, m));
        let origin = origin.with_context(|| format!("cannot read {}", path.display()))?;
        return Ok((DataReader::open_folder(path)?, Some(origin)));
    }
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or("image.png");
    let name = if is_dash(path) { "image.png" } else { name };
    let (input, origin) = open(path)?;
    let reader = DataReader::open(input, name).with_context(|| path.display().to_string())?;
    Ok((reader, origin))
}

/// `path` with `suffix` after its name, without a gzip's suffix, since gzip is taken off.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let path = if path.extension().is_some_and(|e| e == "gz") {
        path.with_extension("")
    } else {
        path.to_owned()
    };
    let mut name = path.into_os_string();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_replaces_that_of_gzip() {
        let name = |path: &str| with_suffix(Path::new(path), ".bbans").display().to_string();
        assert_eq!(name("a/test.amat"), "a/test.amat.bbans");
        assert_eq!(name("a/test.amat.gz"), "a/test.amat.bbans");
        assert_eq!(name("folder.v2"), "folder.v2.bbans");
    }
}
