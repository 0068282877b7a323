//! The work of `bbans compress`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bbans::data::{Layout, Target};
use bbans::{Options, Report, VaeModel};

use super::Args;
use crate::commands::decompress::handler::decode;
use crate::support::bins;
use crate::support::files::{self, Output, Protected};
use crate::support::rows::is_png_folder;
use crate::support::terminal::note;
use crate::support::{members, models, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    let options = options(args)?;
    files::check_output(&args.inputs, args.output.as_ref())?;
    let protected = Protected::inputs(
        args.inputs
            .iter()
            .chain(&args.model.clone().map(PathBuf::from)),
    );
    let name = args.model.as_deref().unwrap_or(models::default_name());
    let model = models::load(name)?;
    let mut embedded = match args.embed {
        true => Some(models::embedded(name)?),
        false => None,
    };
    files::each(&args.inputs, |input| {
        let model = embedded.as_ref().unwrap_or(&model);
        one(args, input, model, options, &protected)?;
        if args.stdout {
            // What follows in the same file finds it there.
            embedded = None;
        }
        Ok(())
    })
}

fn options(args: &Args) -> Result<Options> {
    for (given, name) in [
        (args.unordered, "unordered"),
        (args.independent, "independent"),
        (args.embed, "embed"),
    ] {
        if given && args.coding.format == 1 {
            bail!(
                "--{name} with format 1, which has no room for it; leave one of the two options out"
            );
        }
    }
    Ok(Options {
        unordered: args.unordered,
        independent: args.independent,
        block: args.block,
        ..args.coding.options()?
    })
}

/// Compresses one input.
fn one(
    args: &Args,
    input: &Path,
    model: &VaeModel,
    options: Options,
    protected: &Protected,
) -> Result<()> {
    let output = output_path(args, input)?;
    if args.rm {
        files::check_removable(input, &output)?;
    }
    files::check_free(&output, args.force, protected)?;
    let (reader, origin) = files::open_data(input, args.raw.raw.as_ref())?;
    let png = matches!(reader.source().layout, Layout::Png(_));
    if args.rm && png {
        bail!(
            "{}: --rm would lose the PNG file's own compression, which is not kept; leave out --rm",
            input.display()
        );
    }
    if args.inputs.len() > 1 && args.stdout && is_png_folder(reader.source()) {
        bail!(
            "{}: a set of PNG files shares its file with nothing else; compress it alone",
            input.display()
        );
    }
    let mut out = Output::create(&output, args.force, protected, origin.as_ref())?;
    if !args.quiet {
        bins::warn_of_file(model, input, args.raw.raw.as_ref());
    }
    let bar = progress::counter(reader.count_hint().map(|n| n as u64), "compressing");
    let report = bbans::compress(model, reader, &mut out, options, &mut |n| {
        bar.set_position(n)
    });
    bar.finish_and_clear();
    let report = report.with_context(|| input.display().to_string())?;
    if args.rm {
        let compared = compare(model, &out.written()?, args);
        compared.with_context(|| input.display().to_string())?;
    }
    let committed = out.commit()?;
    if let Some(origin) = origin.as_ref().filter(|_| args.rm) {
        files::remove(origin, committed.durable()?)?;
    }
    if !args.quiet && !files::is_dash(&output) {
        // On the disk, compressed in its own way, it may be smaller than what was read of it.
        let on_disk = origin.map(|origin| origin.len()).filter(|&len| len > 0);
        let on_disk = on_disk.unwrap_or(report.input_bytes);
        tell(&report, input, &output, png, on_disk);
    }
    Ok(())
}

fn output_path(args: &Args, input: &Path) -> Result<PathBuf> {
    if args.stdout {
        return Ok("-".into());
    }
    Ok(match &args.output {
        Some(path) => path.clone(),
        None if files::is_dash(input) => "-".into(),
        None => {
            // The file beside the folder, not in it, and also for "." and "folder/..".
            let path = if input.is_dir() {
                input.canonicalize()?
            } else {
                input.to_owned()
            };
            files::with_suffix(&path, ".bbans")
        }
    })
}

/// Decodes what was written. The trailer's digest is that of the input as it was read, and the
/// decoder compares with it.
fn compare(model: &VaeModel, written: &Path, args: &Args) -> Result<()> {
    let restore = || -> Result<()> {
        let mut file = BufReader::new(File::open(written)?);
        members::each(&mut file, |header, file| {
            let writer = bbans::writer(model, &header, Target::Nowhere)?;
            decode(model, &header, file, writer, args.coding.threads.get()).map(drop)
        })?;
        Ok(())
    };
    restore().context("the output does not decode to the input; nothing was removed")
}

fn tell(report: &Report, input: &Path, output: &Path, png: bool, on_disk: u64) {
    let Report {
        count,
        input_bytes,
        file_bytes,
        blocks,
        packed_blocks,
        ..
    } = *report;
    let rate = match count {
        0 => String::new(),
        _ => format!(", {:.4} bits/dim", report.gross_bits_per_dim()),
    };
    note!(
        "{}: {count} data, {input_bytes} bytes to {file_bytes}{rate}: {}",
        input.display(),
        output.display()
    );
    if packed_blocks > 0 {
        note!(
            "{packed_blocks} of {blocks} blocks are packed as they are: the model does not fit their data"
        );
    }
    if file_bytes > on_disk {
        note!(
            "warning: {} is larger than its input of {on_disk} bytes: the model does not fit the \
             data, or there are too few of them",
            output.display()
        );
    }
    if png {
        note!("names and pixels are kept, not the PNG files' own compression");
    }
}
