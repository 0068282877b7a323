//! The work of `bbans compress`.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bbans::data::{Layout, Target};
use bbans::{DataWriter, FileModel, Options, Report, container::Header};

use super::Args;
use crate::support::output::{Output, check_free};
use crate::support::{input, models, progress};

pub(crate) fn run(args: &Args) -> Result<()> {
    let output = output_path(args)?;
    if args.rm && (input::is_dash(&args.input) || args.input.is_dir() || input::is_dash(&output)) {
        bail!(
            "--rm removes a file that can be restored from a file: not standard input, not a folder \
             of PNG files, whose own compression is not kept, and not with standard output"
        );
    }
    if !input::is_dash(&output) {
        check_free(&output, args.force)?;
    }
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    let reader = input::open_data(&args.input)?;
    let png = matches!(reader.source().layout, Layout::Png { .. });
    if args.rm && png {
        bail!("--rm would lose the compression of the PNG file, which is not kept");
    }
    let mut out = Output::create(&output, args.force)?;
    let bar = progress::counter(reader.count_hint().map(|n| n as u64), "compressing");
    let options = Options {
        lanes: args.lanes.into(),
        threads: args.threads.get(),
    };
    let report = bbans::compress(&model, reader, &mut out, options, &mut |n| {
        bar.set_position(n)
    });
    bar.finish_and_clear();
    let report = report.with_context(|| args.input.display().to_string())?;
    if args.rm {
        compare(&model, &out.written()?, args)?;
    }
    out.commit()?;
    if args.rm {
        fs::remove_file(&args.input)
            .with_context(|| format!("cannot remove {}", args.input.display()))?;
    }
    if !args.quiet && !input::is_dash(&output) {
        tell(&report, args, &output, png);
    }
    Ok(())
}

fn output_path(args: &Args) -> Result<PathBuf> {
    if args.stdout {
        return Ok("-".into());
    }
    Ok(match &args.output {
        Some(path) => path.clone(),
        None if input::is_dash(&args.input) => "-".into(),
        None => {
            // The file beside the folder, not in it, and also for "." and "folder/..".
            let path = if args.input.is_dir() {
                args.input.canonicalize()?
            } else {
                args.input.clone()
            };
            input::with_suffix(&path, ".bbans")
        }
    })
}

/// Decodes what was written. The trailer's digest is that of the input as it was read, and the
/// decoder compares with it.
fn compare(model: &impl FileModel, written: &Path, args: &Args) -> Result<()> {
    let restore = || -> Result<()> {
        let mut file = BufReader::new(File::open(written)?);
        let header = Header::read(&mut file)?.context("the file is empty")?;
        let sink = Target::Stream(Box::new(std::io::sink()));
        let writer = DataWriter::new(header.source.clone(), model.dims(), sink)?;
        bbans::decompress(
            model,
            &header,
            &mut file,
            writer,
            args.threads.get(),
            &mut |_| {},
        )?;
        Ok(())
    };
    restore().context("the output does not decode to the input; nothing was removed")
}

fn tell(report: &Report, args: &Args, output: &Path, png: bool) {
    let Report {
        count,
        input_bytes,
        file_bytes,
        ..
    } = *report;
    let rate = match count {
        0 => String::new(),
        _ => format!(", {:.4} bits/dim", report.gross_bits_per_dim()),
    };
    eprintln!(
        "{}: {count} data, {input_bytes} bytes to {file_bytes}{rate}: {}",
        args.input.display(),
        output.display()
    );
    if png {
        eprintln!("names and pixels are kept, not the PNG files' own compression");
    }
}
