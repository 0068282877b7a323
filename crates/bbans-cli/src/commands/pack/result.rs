//! Archives: written, decoded, compared; and what is said of them.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bbans::data::Target;
use bbans::nn::ModelFile;
use bbans::{Options, VaeModel};

use super::Args;
use super::input::Input;
use crate::commands::bench::{Contender, Outcome};
use crate::commands::decompress::handler::decode;
use crate::support::files::{self, Scratch};
use crate::support::models::Models;
use crate::support::{members, progress};

/// A model with the files that were made with it.
pub(super) struct Archive {
    /// Where they lie until one of them is the best.
    folder: Scratch,
    /// Of each input the file in the folder.
    pub(super) files: Vec<PathBuf>,
    /// Of several inputs the model.
    pub(super) shared: Option<Vec<u8>>,
    pub(super) model_bytes: u64,
    /// The model's bytes among them.
    pub(super) total: u64,
    pub(super) encode_seconds: f64,
}

impl Archive {
    /// Compresses all inputs.
    pub(super) fn make(args: &Args, input: &Input, file: &ModelFile) -> Result<Self> {
        let packed = file.pack()?;
        let shared = input.counts.len() > 1;
        let model = match shared {
            true => VaeModel::new(bbans::nn::Vae::new(&ModelFile::unpack(&packed)?)?)?,
            false => VaeModel::embedded(file)?,
        };
        let folder = Scratch::new()?;
        let options = Options {
            threads: args.threads.get(),
            ..Options::default()
        };
        let (mut files, mut total) = (Vec::new(), 0);
        let start = Instant::now();
        for (i, (path, count)) in input.counts.iter().enumerate() {
            let (reader, _) = files::open_data(path, args.raw.raw.as_ref())?;
            let to = folder.path().join(i.to_string());
            let mut out = BufWriter::new(File::create(&to)?);
            let bar = progress::counter(Some(*count as u64), "compressing");
            let report = bbans::compress(&model, reader, &mut out, options, &mut |n| {
                bar.set_position(n)
            });
            bar.finish_and_clear();
            total += report
                .with_context(|| path.display().to_string())?
                .file_bytes;
            out.flush()?;
            files.push(to);
        }
        let shared = match shared {
            true => Some(file.to_packed_file()?),
            false => None,
        };
        let model_bytes = shared.as_ref().map_or(packed.len(), Vec::len) as u64;
        total += shared.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(Self {
            folder,
            files,
            shared,
            model_bytes,
            total,
            encode_seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Decodes every file with the model that it carries, or that lies beside it, and compares; gives the seconds.
    ///
    /// # Errors
    /// If what is restored is not the input.
    pub(super) fn check(&self, input: &Input, threads: NonZeroUsize) -> Result<f64> {
        if let Some(shared) = &self.shared {
            let name = format!(
                "{}{}",
                super::handler::NAME,
                crate::support::models::SHARED_SUFFIX
            );
            std::fs::write(self.folder.path().join(name), shared)?;
        }
        let start = Instant::now();
        for (made, (path, expected)) in self.files.iter().zip(&input.counts) {
            let mut models = Models::new(None);
            let mut count = 0;
            let mut file = BufReader::new(File::open(made)?);
            members::each(&mut file, |header, file| {
                let model = models.of_file(&header, made)?;
                // The digest is that of the input as it was read.
                let writer = bbans::writer(&*model, &header, Target::Nowhere)?;
                count += decode(&model, &header, file, writer, threads)?;
                Ok(())
            })
            .with_context(|| path.display().to_string())?;
            if count != *expected as u64 {
                bail!("{}: {count} data came back of {expected}", path.display());
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

/// The name of an input's archive in a folder.
pub(super) fn file_name(input: &Path) -> Result<PathBuf> {
    let path = files::with_suffix(&input.canonicalize()?, ".bbans");
    let name = path.file_name().context("an input without a name")?;
    Ok(name.into())
}

/// Totals beside those of rivals.
pub(super) fn print(
    out: &mut impl Write,
    archive: &Archive,
    decode_seconds: f64,
    input: &Input,
    rivals: &[Contender],
) -> Result<()> {
    let values = (input.data.count() * input.data.dims()) as f64;
    let bits = |bytes: u64| 8.0 * bytes as f64 / values;
    let mut rows = vec![(
        "bbans pack".to_owned(),
        archive.total,
        archive.encode_seconds,
        decode_seconds,
    )];
    let mut others = Vec::new();
    for rival in rivals {
        match &rival.outcome {
            Outcome::Measured {
                best,
                bytes,
                encode_seconds,
                decode_seconds,
                ..
            } => rows.push((
                format!("{} ({best})", rival.name),
                *bytes,
                *encode_seconds,
                *decode_seconds,
            )),
            Outcome::NotInstalled(how) => {
                others.push(format!("{}: not installed ({how})", rival.name));
            }
            Outcome::NotApplicable => {}
            Outcome::Failed(why) => others.push(format!("{}: failed: {why}", rival.name)),
        }
    }
    rows.sort_by_key(|row| row.1);
    writeln!(
        out,
        "{} data, {} values: {} bytes of data and {} of model",
        input.data.count(),
        values,
        archive.total - archive.model_bytes,
        archive.model_bytes
    )?;
    writeln!(
        out,
        "rank  of one file each, decoded and compared         bits/dim      bytes  encode s  decode s"
    )?;
    for (rank, (name, bytes, encode, decode)) in rows.iter().enumerate() {
        writeln!(
            out,
            "{:>4}  {name:<46} {:>9.5} {bytes:>10} {encode:>9.2} {decode:>9.2}",
            rank + 1,
            bits(*bytes)
        )?;
    }
    for other in others {
        writeln!(out, "   -  {other}")?;
    }
    let best = rows.iter().find(|row| row.0 != "bbans pack");
    if let Some((name, bytes, ..)) = best {
        let part = 100.0 * (archive.total as f64 / *bytes as f64 - 1.0);
        match part < 0.0 {
            true => writeln!(out, "{:.2}% smaller than the best rival, {name}", -part)?,
            false => writeln!(
                out,
                "{part:.2}% larger than {name}, which suits these data better"
            )?,
        }
    }
    Ok(())
}
