//! The work of `bbans decompress`.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use bbans::data::Target;
use bbans::{DataWriter, VaeModel, container::Header};

use super::Args;
use crate::support::files::{self, Committed, Origin, Output, OutputFolder, Protected};
use crate::support::models::Models;
use crate::support::rows::is_png_folder;
use crate::support::{members, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    files::check_output(&args.inputs, args.output.as_ref())?;
    let protected = Protected::inputs(
        args.inputs
            .iter()
            .chain(&args.model.clone().map(PathBuf::from)),
    );
    let mut models = Models::new(args.model.as_deref());
    files::each(&args.inputs, |input| {
        one(args, input, &mut models, &protected).with_context(|| input.display().to_string())
    })
}

/// Restores one input.
fn one(args: &Args, input: &Path, models: &mut Models, protected: &Protected) -> Result<()> {
    let output = output_path(args, input)?;
    if args.rm {
        files::check_removable(input, &output)?;
    }
    let datum = args.datum.map(|n| n..n.saturating_add(1));
    if let Some(range) = args.range.clone().or(datum) {
        return some_data(args, input, range, models, protected);
    }
    let (file, origin) = files::open(input)?;
    let mut restored = Restored {
        args,
        output: &output,
        origin: origin.as_ref(),
        protected,
        made: None,
    };
    let mut file = BufReader::with_capacity(1 << 16, file);
    members::each(&mut file, |header, file| {
        let model = models.of_file(&header, input)?;
        let target = restored.target(&header)?;
        let writer = bbans::writer(&*model, &header, target)?;
        decode(&model, &header, file, writer, args.threads.get()).map(drop)
    })?;
    let committed = restored.commit()?;
    match origin {
        Some(origin) if args.rm => files::remove(&origin, committed.durable()?),
        _ => Ok(()),
    }
}

/// Restores some data of an input.
fn some_data(
    args: &Args,
    input: &Path,
    range: Range<u64>,
    models: &mut Models,
    protected: &Protected,
) -> Result<()> {
    if files::is_dash(input) {
        bail!(
            "to read here and there in a file is more than standard input lets one do; name the file"
        );
    }
    if args.output.is_none() && !args.stdout {
        bail!(
            "some data are not the whole file; name an output with -o, or standard output with -c"
        );
    }
    let output = output_path(args, input)?;
    part(input, models, args.force, protected, &output, |_| {
        Ok(range.clone())
    })
}

/// Restores the data of an input that `which` says, given its header.
pub(crate) fn part(
    input: &Path,
    models: &mut Models,
    force: bool,
    protected: &Protected,
    output: &Path,
    which: impl Fn(&Header) -> Result<Range<u64>>,
) -> Result<()> {
    let mut file = BufReader::new(File::open(input).context("cannot be read")?);
    let header = Header::read(&mut file)?.context("the file is empty")?;
    let range = which(&header)?;
    let model = models.of_file(&header, input)?;
    if is_png_folder(&header.source) && range.end - range.start > 1 {
        if files::is_dash(output) {
            bail!("several PNG files cannot go to standard output; name a folder with -o");
        }
        let folder = OutputFolder::create(output, None, false)?;
        let target = Target::Folder(folder.path().to_owned());
        bbans::decompress_range(&*model, &mut file, range, target)?;
        return folder.commit().map(drop);
    }
    let out = Output::create(output, force, protected, None)?;
    let out = Shared(Arc::new(Mutex::new(out)));
    let target = Target::Stream(Box::new(out.clone()));
    bbans::decompress_range(&*model, &mut file, range, target)?;
    let out = Arc::into_inner(out.0).context("the output is still in use")?;
    let out = out.into_inner().unwrap_or_else(PoisonError::into_inner);
    out.commit().map(drop)
}

fn output_path(args: &Args, input: &Path) -> Result<PathBuf> {
    match &args.output {
        _ if args.stdout => Ok("-".into()),
        Some(path) => Ok(path.clone()),
        None if files::is_dash(input) => Ok("-".into()),
        None if input.extension().is_some_and(|e| e == "bbans") => {
            let path = input.with_extension("");
            // That name alone would be standard output.
            Ok(if files::is_dash(&path) {
                "./-".into()
            } else {
                path
            })
        }
        None => bail!("the name does not end in .bbans; name the output with -o"),
    }
}

/// What an input is restored to: made when its first member is known.
struct Restored<'a> {
    args: &'a Args,
    output: &'a Path,
    origin: Option<&'a Origin>,
    protected: &'a Protected,
    made: Option<Made>,
}

enum Made {
    File(Shared),
    Folder(OutputFolder),
}

impl Restored<'_> {
    /// Where a member goes.
    fn target(&mut self, header: &Header) -> Result<Target> {
        let (args, output) = (self.args, self.output);
        let made = match self.made.take() {
            Some(made) => made,
            None if is_png_folder(&header.source) && !files::is_dash(output) => {
                Made::Folder(OutputFolder::create(output, self.origin, args.rm)?)
            }
            None => {
                let out = Output::create(output, args.force, self.protected, self.origin)?;
                Made::File(Shared(Arc::new(Mutex::new(out))))
            }
        };
        let target = match &made {
            Made::File(out) => Target::Stream(Box::new(out.clone())),
            Made::Folder(folder) => Target::Folder(folder.path().to_owned()),
        };
        self.made = Some(made);
        Ok(target)
    }

    /// Completes it.
    fn commit(self) -> Result<Committed> {
        match self.made.context("nothing was restored")? {
            Made::Folder(folder) => folder.commit(),
            Made::File(out) => {
                let out = Arc::into_inner(out.0).context("the output is still in use")?;
                let out = out.into_inner().unwrap_or_else(PoisonError::into_inner);
                out.commit()
            }
        }
    }
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
