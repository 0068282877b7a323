//! The same for several inputs.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::output::stdout_is_torn;
use super::wait_for_clean_up;
use crate::support::terminal::complain;

/// An error if one output is named for several inputs.
pub(crate) fn check_output(inputs: &[PathBuf], output: Option<&PathBuf>) -> Result<()> {
    if output.is_some() && inputs.len() > 1 {
        bail!("-o names the output of one input; leave it out, or use -c for one output of all");
    }
    Ok(())
}

/// Does `work` for each input. A failure does not stop the others, unless it leaves standard output,
/// which they share, with a part of a result.
///
/// # Errors
/// The failure of the one input; or, at the end, which of several failed.
pub(crate) fn each(inputs: &[PathBuf], mut work: impl FnMut(&Path) -> Result<()>) -> Result<()> {
    if let [input] = inputs {
        return work(input);
    }
    let mut failed = Vec::new();
    for input in inputs {
        let Err(error) = work(input) else {
            continue;
        };
        if stdout_is_torn() {
            return Err(error.context(
                "standard output ends within an input; the inputs after it were not begun",
            ));
        }
        wait_for_clean_up();
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
