//! The program `bbans` as a library, so that the tests of the workspace can build it.

mod commands;
mod support;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::commands::Command;
use crate::support::{files, terminal};

/// Lossless compression with latent-variable models: bits-back coding of a VAE, as real files.
#[derive(Debug, Parser)]
#[command(
    name = "bbans",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Runs the program on the arguments of the process.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage, 128 + n ended by signal n.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help_or_error) => {
            let printed = help_or_error.print();
            return match help_or_error.exit_code() {
                0 if printed.is_err() => ExitCode::FAILURE,
                code => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            };
        }
    };
    files::clean_up_on_signals();
    let done = cli.command.run().and_then(|()| {
        let flushed = std::io::stdout().flush();
        flushed.context("cannot write to standard output")
    });
    // If a signal came first, its exit code counts.
    files::wait_for_clean_up();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::complain(&error);
            ExitCode::FAILURE
        }
    }
}
