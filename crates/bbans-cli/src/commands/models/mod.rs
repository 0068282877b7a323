//! `bbans models`.

pub(crate) mod handler;

use std::path::PathBuf;

/// List the built-in models, or show one
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Model to show: a built-in name, a file, or a compressed file that carries it
    pub(crate) name: Option<String>,
    /// Write the model's file here, for other programs
    #[arg(short, long, value_name = "FILE", requires = "name")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite the output
    #[arg(short, long, requires = "output")]
    pub(crate) force: bool,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Extract(Extract),
}

/// Take the model out of a compressed file that carries it
#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    /// Compressed file, or packed model (.bbmodel)
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Model file to write: .bbmodel keeps it packed, any other name is one of safetensors
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    /// Overwrite the output
    #[arg(short, long)]
    pub(crate) force: bool,
}
