//! The work of `bbans decompress`.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use bbans::data::Target;
use bbans::{DataWriter, LatentModel, VaeModel, container::Header};
use std::num::NonZeroUsize;

use super::Args;
use crate::support::output::{Output, OutputFolder, check_free};
use crate::support::rows::is_png_folder;
use crate::support::{input, models, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    let output = output_path(args)?;
    if args.rm && (input::is_dash(&args.input) || input::is_dash(&output)) {
        bail!(
            "--rm removes a file once its contents are in another: not with standard input or output"
        );
    }
    let mut file = BufReader::with_capacity(1 << 16, input::open(&args.input)?);
    restore(args, &output, &mut file).with_context(|| args.input.display().to_string())?;
    if args.rm {
        fs::remove_file(&args.input)
            .with_context(|| format!("cannot remove {}", args.input.display()))?;
    }
    Ok(())
}

fn output_path(args: &Args) -> Result<PathBuf> {
    match &args.output {
        _ if args.stdout => Ok("-".into()),
        Some(path) => Ok(path.clone()),
        None if input::is_dash(&args.input) => Ok("-".into()),
        None if args.input.extension().is_some_and(|e| e == "bbans") => {
            Ok(args.input.with_extension(""))
        }
        None => bail!(
            "{}: the name does not end in .bbans; name the output with -o",
            args.input.display()
        ),
    }
}

fn restore(args: &Args, output: &Path, file: &mut impl Read) -> Result<()> {
    let first = Header::read(file)?
        .context("the file is empty; expected one that `bbans compress` wrote")?;
    if is_png_folder(&first.source) && !input::is_dash(output) {
        let folder = OutputFolder::create(output)?;
        member(args, first, file, Target::Folder(folder.path().to_owned()))?;
        if Header::read(file)?.is_some() {
            bail!("several files in one, of which one is a set of PNG files; expected it alone");
        }
        return folder.commit();
    }
    if !input::is_dash(output) {
        check_free(output, args.force)?;
    }
    let out = Shared(Arc::new(Mutex::new(Output::create(output, args.force)?)));
    let mut next = Some(first);
    while let Some(header) = next {
        member(args, header, file, Target::Stream(Box::new(out.clone())))?;
        next = Header::read(file).context("after the end of a complete file")?;
    }
    let out = Arc::into_inner(out.0).context("the output is still in use")?;
    out.into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .commit()
}

/// Restores one of the files that `file` holds one after another.
fn member(args: &Args, header: Header, file: &mut impl Read, target: Target) -> Result<()> {
    let model = models::of_file(&header, args.model.as_deref())?;
    let writer = DataWriter::new(header.source.clone(), model.dims(), target)?;
    decode(&model, &header, file, writer, args.threads.get()).map(drop)
}

/// Decodes a member, with progress; gives the number of data.
pub(crate) fn decode(
    model: &VaeModel,
    header: &Header,
    file: &mut impl Read,
    writer: DataWriter,
    threads: NonZeroUsize,
) -> Result<u64> {
    let bar = progress::counter(None, "decompressing");
    let restored = bbans::decompress(model, header, file, writer, threads, &mut |n| {
        bar.set_position(n)
    });
    bar.finish_and_clear();
    Ok(restored?.count)
}

/// One output that the members of a file are written to in turn.
#[derive(Clone)]
struct Shared(Arc<Mutex<Output>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}
