//! `bbans cat`.

pub(crate) mod handler;

use std::path::PathBuf;

/// Write one datum of a .bbans file to standard output
///
/// A picture as a PNG file, a line of a table with the table's header, values as a file of one datum. Of the file no more
/// than its header, its end and one block are read: `bbans compress --block N` makes small blocks.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compressed file
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Its number, the first being 0, or a picture's name
    #[arg(value_name = "N|NAME")]
    pub(crate) datum: String,
    /// Model file, where the model is not built in
    #[arg(short, long, value_name = "NAME|FILE")]
    pub(crate) model: Option<String>,
}
