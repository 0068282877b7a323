//! The work of `bbans test`.

use std::io::{BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use bbans::data::Target;

use super::Args;
use crate::commands::decompress::handler::decode;
use crate::support::models::Models;
use crate::support::terminal::stdout;
use crate::support::{files, members};

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut models = Models::new(args.model.as_deref());
    files::each(&args.inputs, |path| {
        let count = check(args, path, &mut models);
        let count = count.with_context(|| path.display().to_string())?;
        if !args.quiet {
            writeln!(stdout()?, "{}: ok, {count} data", path.display())?;
        }
        Ok(())
    })
}

fn check(args: &Args, path: &Path, models: &mut Models) -> Result<u64> {
    let mut file = BufReader::with_capacity(1 << 16, files::open(path)?.0);
    let mut count = 0;
    members::each(&mut file, |header, file| {
        let model = models.of_file(&header, path)?;
        let writer = bbans::writer(&*model, &header, Target::Nowhere)?;
        count += decode(&model, &header, file, writer, args.threads.get())?;
        Ok(())
    })?;
    Ok(count)
}
