//! `bbans models`.

pub(crate) mod handler;

/// List the built-in models, or show one
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Model to show: a built-in name or a file
    pub(crate) name: Option<String>,
    /// Write the model's file here, for other programs
    #[arg(short, long, value_name = "FILE", requires = "name")]
    pub(crate) output: Option<std::path::PathBuf>,
    /// Overwrite the output
    #[arg(short, long, requires = "output")]
    pub(crate) force: bool,
}
