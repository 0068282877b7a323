//! `bbans data`.

pub(crate) mod handler;
mod sets;

use std::path::PathBuf;

/// Download a public data set into the data folder, and check it
///
/// The data folder is $BBANS_DATA, else bbans in the XDG data folder. An interrupted download goes
/// on where it stopped.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The data set: mnist is the grey images and their static binarization
    #[arg(value_parser = ["mnist"])]
    pub(crate) set: String,
    /// Folder to write to, in place of the data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Fetch URL/FILE for every file, in place of the published addresses
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}
