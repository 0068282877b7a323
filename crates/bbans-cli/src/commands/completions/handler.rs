//! The work of `bbans completions`.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;

use super::Args;
use crate::support::terminal::stdout;

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "bbans", &mut script);
    Ok(stdout()?.write_all(&script)?)
}
