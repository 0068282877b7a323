//! The subcommands: options in `mod.rs`, work in `handler.rs`.

mod bench;
mod binarize;
mod cat;
mod compare;
mod completions;
mod compress;
mod data;
mod decompress;
mod import;
mod inspect;
mod models;
mod notebook;
mod pack;
mod sample;
mod test;
mod train;

use std::num::NonZeroUsize;

use anyhow::{Result, bail};
use bbans::Options;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Compress(compress::Args),
    #[command(visible_alias = "unpack")]
    Decompress(decompress::Args),
    Pack(pack::Args),
    Cat(cat::Args),
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
            Self::Pack(args) => pack::handler::run(&args),
            Self::Cat(args) => cat::handler::run(&args),
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

/// How data are coded.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Coding {
    /// Data that a step codes side by side, 1 to 4096
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) lanes: u16,
    #[command(flatten)]
    pub(crate) threads: Threads,
    /// Version of the file format, 1 or 2; 1 for programs that read no other, with none of what version 2 saves. What 2 has
    /// no room for, such as tables, is written as version 3
    #[arg(long, default_value_t = 2, value_name = "VERSION", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) format: u8,
    /// Particles of a datum, 1 to 1024: shorter files, by the importance-weighted bound, in as many times the time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) particles: u16,
    /// Draw the particles independently instead of coupled; for comparison only, since a file must then begin with the bits
    /// of every particle
    #[arg(long, requires = "particles")]
    pub(crate) uncoupled: bool,
}

impl Coding {
    /// # Errors
    /// If the options do not go together.
    pub(crate) fn options(self) -> Result<Options> {
        if self.particles > 1 && self.format == 1 {
            bail!(
                "--particles {} with format 1, which has no room for particles; leave one of the two options out",
                self.particles
            );
        }
        Ok(Options {
            lanes: self.lanes.into(),
            threads: self.threads.get(),
            format: self.format,
            particles: self.particles.into(),
            coupled: !self.uncoupled,
            ..Options::default()
        })
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
