//! Input files and standard input.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bbans::DataReader;

use super::Origin;
use super::raw::RawSpec;
use super::stdio::stdin_is_closed;

/// Whether a path stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Opens a file, or standard input for `-`, which has no origin.
///
/// # Errors
/// Without the path, if it cannot be opened, is a folder, or standard input is a terminal.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn Read + Send>, Option<Origin>)> {
    if is_dash(path) {
        if io::stdin().is_terminal() {
            bail!("nothing to read: name a file, or pipe data in");
        }
        if stdin_is_closed() {
            bail!("standard input is closed; name a file, or pipe data in");
        }
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).context("cannot be read")?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        bail!("a folder; expected a file");
    }
    let origin = Origin::new(path, metadata)?;
    Ok((Box::new(file), Some(origin)))
}

/// Whether what is read of it is there again when it is opened again: not of pipes and devices.
pub(crate) fn can_be_read_again(path: &Path) -> bool {
    !is_dash(path) && path.metadata().is_ok_and(|m| m.is_file() || m.is_dir())
}

/// Opens a data file, a folder of PNG files, or standard input for `-`; with `raw` values without a header.
///
/// # Errors
/// If it cannot be read or is no data that bbans knows.
pub(crate) fn open_data(
    path: &Path,
    raw: Option<&RawSpec>,
) -> Result<(DataReader, Option<Origin>)> {
    if path.is_dir() {
        // First, since it has limits, and says what is wrong with a folder.
        let reader = DataReader::open_folder(path)?;
        let origin = path.metadata().and_then(|m| Origin::new(path, m));
        let origin = origin.with_context(|| format!("cannot read {}", path.display()))?;
        return Ok((reader, Some(origin)));
    }
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or("image.png");
    let name = if is_dash(path) { "image.png" } else { name };
    let opened = || -> Result<_> {
        let (input, origin) = open(path)?;
        let reader = match raw {
            Some(raw) => DataReader::raw(input, raw.shape.0.clone(), raw.element)?,
            None => DataReader::open(input, name)?,
        };
        Ok((reader, origin))
    };
    opened().with_context(|| path.display().to_string())
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
