//! `bbans notebook`.

pub(crate) mod handler;

use std::path::PathBuf;

use crate::support::notebook::DEFAULT;

/// Look at the notebook, in which `bbans bench` and `bbans train` keep what they found
///
/// A notebook is a file of one JSON record a line. Runs append to the one that --notebook names,
/// or to bbans-notebook.jsonl in the folder where they run, if it is there: `touch
/// bbans-notebook.jsonl` makes a folder a project.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The notebook
    #[arg(long, default_value = DEFAULT, value_name = "FILE.jsonl", global = true)]
    pub(crate) file: PathBuf,
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// List the records, each with its number
    List(Filter),
    /// Print a record whole
    Show {
        /// Its number
        number: usize,
    },
    /// Hold the figures of two records against one another
    Compare {
        /// Number of the first
        first: usize,
        /// Number of the second
        second: usize,
    },
    /// Draw a figure over time: NAME.svg and NAME.png
    Plot {
        /// The figure, for example gross_bits_per_dim
        figure: String,
        /// Folder to write to
        #[arg(short, long, value_name = "FOLDER")]
        output: PathBuf,
        #[command(flatten)]
        filter: Filter,
    },
}

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only records of this kind: bench, train, expectation or truth
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only records with this text in them, for example a model's name or a digest
    #[arg(long, value_name = "TEXT")]
    pub(crate) with: Option<String>,
}
