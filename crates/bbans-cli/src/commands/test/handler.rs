//! The work of `bbans test`.

use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bbans::data::Target;
use bbans::{DataWriter, LatentModel, container::Header};

use super::Args;
use crate::commands::decompress::handler::decode;
use crate::support::{input, models};

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut failed = 0;
    for path in &args.inputs {
        match check(args, path) {
            Ok(count) if !args.quiet => println!("{}: ok, {count} data", path.display()),
            Ok(_) => {}
            Err(e) => {
                eprintln!("bbans: {}: {e:#}", path.display());
                failed += 1;
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => bail!("{failed} of {} files failed the test", args.inputs.len()),
    }
}

fn check(args: &Args, path: &Path) -> Result<u64> {
    let mut file = BufReader::with_capacity(1 << 16, input::open(path)?);
    let mut next = Header::read(&mut file)?;
    if next.is_none() {
        bail!("the file is empty; expected one that `bbans compress` wrote");
    }
    let mut count = 0;
    while let Some(mut header) = next {
        let model = models::of_file(&header, args.model.as_deref())?;
        // A set of PNG files is restored to one stream that nobody keeps.
        if let bbans::data::Layout::Png { single, .. } = &mut header.source.layout {
            *single = true;
        }
        let sink = Target::Stream(Box::new(std::io::sink()));
        let writer = DataWriter::new(header.source.clone(), model.dims(), sink)?;
        count += decode(&model, &header, &mut file, writer, args.threads.get())?;
        next = Header::read(&mut file).context("after the end of a complete file")?;
    }
    Ok(count)
}
