//! Removing an input, once all that it held is elsewhere.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::output::Durable;
use super::{Origin, is_dash};

/// An error if `input` is nothing that --rm removes, or `output` nothing that keeps what it held.
pub(crate) fn check_removable(input: &Path, output: &Path) -> Result<()> {
    let is_file = |path: &Path| fs::symlink_metadata(path).map(|m| m.is_file());
    if is_dash(input) || is_dash(output) {
        bail!(
            "--rm removes a file once its contents are in another: not with standard input or output"
        );
    }
    // One that is not there is told when it is opened.
    if is_file(input).is_ok_and(|file| !file) {
        bail!(
            "--rm removes a regular file, which {} is not; leave out --rm",
            input.display()
        );
    }
    if fs::metadata(output).is_ok_and(|m| !m.is_file() && !m.is_dir()) {
        bail!(
            "--rm removes a file once its contents are in another, which {} does not keep; leave \
             out --rm",
            output.display()
        );
    }
    Ok(())
}

/// Removes an input whose contents are in an output that lasts.
///
/// # Errors
/// If it is no longer the regular file that was opened, or cannot be removed.
pub(crate) fn remove(origin: &Origin, _: Durable) -> Result<()> {
    let path = origin.path();
    let cannot = || format!("cannot remove {}", path.display());
    if !origin.is_unchanged().with_context(cannot)? {
        bail!(
            "{} was changed or replaced while it was read: it was not removed, and the output holds \
             what was read",
            path.display()
        );
    }
    fs::remove_file(path).with_context(cannot)
}
