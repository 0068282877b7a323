//! The program `bbans` as a library, so that the tests of the workspace can build it.

mod commands;
mod support;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// Lossless compression with latent-variable models: bits-back coding of a VAE, as real files.
#[derive(Debug, Parser)]
#[command(
    name = "bbans",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Runs the program on the arguments of the process.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    support::output::clean_up_on_signals();
    match cli.command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Whoever reads the output has gone away: nobody wants to be told.
            if !support::output::is_broken_pipe(&error) {
                eprintln!("bbans: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
