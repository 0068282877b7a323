//! The subcommands: options in `mod.rs`, work in `handler.rs`.

mod bench;
mod binarize;
mod compare;
mod completions;
mod compress;
mod data;
mod decompress;
mod import;
mod inspect;
mod models;
mod notebook;
mod sample;
mod test;
mod train;

use std::num::NonZeroUsize;

use anyhow::Result;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Compress(compress::Args),
    Decompress(decompress::Args),
    Test(test::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Compare(compare::Args),
    Train(train::Args),
    Import(import::Args),
    Sample(sample::Args),
    Binarize(binarize::Args),
    Models(models::Args),
    Notebook(notebook::Args),
    Data(data::Args),
    Completions(completions::Args),
}

impl Command {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Compress(args) => compress::handler::run(&args),
            Self::Decompress(args) => decompress::handler::run(&args),
            Self::Test(args) => test::handler::run(&args),
            Self::Inspect(args) => inspect::handler::run(&args),
            Self::Bench(args) => bench::handler::run(&args),
            Self::Compare(args) => compare::handler::run(&args),
            Self::Train(args) => train::handler::run(&args),
            Self::Import(args) => import::handler::run(&args),
            Self::Sample(args) => sample::handler::run(&args),
            Self::Binarize(args) => binarize::handler::run(&args),
            Self::Models(args) => models::handler::run(&args),
            Self::Notebook(args) => notebook::handler::run(&args),
            Self::Data(args) => data::handler::run(&args),
            Self::Completions(args) => completions::handler::run(&args),
        }
    }
}

/// How many threads; the result is the same with any number.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Threads {
    /// Number of threads; changes the time, never the result [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl Threads {
    pub(crate) fn get(self) -> NonZeroUsize {
        let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        // More threads than this only cost memory.
        self.threads
            .unwrap_or_else(available)
            .min(NonZeroUsize::MIN.saturating_add(255))
    }
}
