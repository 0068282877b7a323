//! The same for several inputs.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::support::terminal::complain;

/// Does `work` for each input, with a flag to be set while a failure would leave a part of it in an
/// output that others share. A failure does not stop the others, unless that flag is set.
///
/// # Errors
/// The failure of the one input; or, at the end, which of several failed.
pub(crate) fn each(
    inputs: &[PathBuf],
    mut work: impl FnMut(&Path, &Cell<bool>) -> Result<()>,
) -> Result<()> {
    let torn = Cell::new(false);
    if let [input] = inputs {
        return work(input, &torn);
    }
    let mut failed = Vec::new();
    for input in inputs {
        let Err(error) = work(input, &torn) else {
            continue;
        };
        if torn.get() {
            return Err(error
                .context("the output ends within this input; the inputs after it were not begun"));
        }
        complain(&error);
        failed.push(input.display().to_string());
    }
    match failed.as_slice() {
        [] => Ok(()),
        names => bail!(
            "{} of {} inputs failed: {}",
            names.len(),
            inputs.len(),
            names.join(", ")
        ),
    }
}
