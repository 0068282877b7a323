//! Files that are read and written: nothing is lost, and nothing is left behind.
//!
//! [`Output::commit`] is the one place where an output takes its name, [`remove`] the one where an
//! input is removed.

mod input;
mod origin;
mod output;
mod protected;
mod raw;
mod removal;
mod several;
mod signals;
mod stdio;
mod temporary;

pub(crate) use input::{can_be_read_again, is_dash, open, open_data, with_suffix};
pub(crate) use origin::Origin;
pub(crate) use output::{Committed, Output, OutputFolder, check_free};
pub(crate) use protected::Protected;
pub(crate) use raw::{RawArg, RawSpec, Shape};
pub(crate) use removal::{check_removable, remove};
pub(crate) use several::{check_output, each};
pub(crate) use signals::clean_up_on_signals;
pub(crate) use stdio::stdout_is_unwritable;
pub(crate) use temporary::{Scratch, wait_for_clean_up};
