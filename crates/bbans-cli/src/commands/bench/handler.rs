//! The work of `bbans bench`.

use std::io::{self, Cursor, Read, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bbans::{DataReader, FileModel, Options, VaeModel};
use flate2::read::MultiGzDecoder;
use serde_json::json;

use super::Args;
use super::measure::{Bound, Coded, bound, code};
use crate::support::rows::DataSet;
use crate::support::{data, input, memory, models};

/// A data set to measure on.
struct Subject {
    name: String,
    /// The data file's bytes.
    content: Arc<Vec<u8>>,
    /// The same data, 0 and 1.
    data: DataSet,
    /// Number of data in the whole set.
    of: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let model_name = args.model.as_deref().unwrap_or(models::default_name());
    let model = models::load(model_name)?;
    let subject = subject(args, &model)?;
    let options = Options {
        lanes: args.lanes.into(),
        threads: args.threads.get(),
    };
    bbans::check_fits(
        &model,
        DataReader::open(Cursor::new(subject.content.to_vec()), "bench.png")?.source(),
    )?;
    let coded = code(&model, &subject.content, options).with_context(|| subject.name.clone())?;
    let bound = bound(
        &model,
        &subject.data,
        args.samples.into(),
        args.seed,
        options.threads,
    )?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", to_json(args, &model, &subject, &coded, &bound))?;
    } else {
        print(&mut out, args, &model, &subject, &coded, &bound)?;
    }
    Ok(())
}

fn subject(args: &Args, model: &VaeModel) -> Result<Subject> {
    let path = args.data.clone().or_else(data::real_test_set);
    let (name, mut content) = match path {
        Some(path) if path.is_dir() => (
            path.display().to_string(),
            DataSet::read(input::open_data(&path)?)?.to_idx()?,
        ),
        Some(path) => {
            let mut content = Vec::new();
            input::open(&path)?.read_to_end(&mut content)?;
            (path.display().to_string(), content)
        }
        None => (
            format!("samples of {} (built in, no real data)", data::DEMO_MODEL),
            demo(model)?,
        ),
    };
    if content.starts_with(&[0x1f, 0x8b]) {
        let mut inner = Vec::new();
        MultiGzDecoder::new(content.as_slice())
            .read_to_end(&mut inner)
            .with_context(|| name.clone())?;
        content = inner;
    }
    let open = |content: &Vec<u8>| DataReader::open(Cursor::new(content.clone()), "bench.png");
    let whole = DataSet::read(open(&content).with_context(|| name.clone())?)?;
    let of = whole.count();
    let mut data = whole;
    if let Some(limit) = args.limit {
        data = data.spread(limit as usize);
        content = data.to_idx()?;
    }
    if data.count() == 0 {
        bail!("{name}: no data; there is nothing to measure");
    }
    // One image of a PNG file is measured as the data in it.
    if content.starts_with(b"\x89PNG") {
        content = data.to_idx()?;
    }
    bbans::symbols(model, &mut data.bytes).with_context(|| name.clone())?;
    Ok(Subject {
        name,
        content: Arc::new(content),
        data,
        of,
    })
}

/// The demonstration data, as an IDX file.
fn demo(model: &VaeModel) -> Result<Vec<u8>> {
    let its_model = models::load(data::DEMO_MODEL)?;
    if model.shape() != its_model.shape() {
        bail!(
            "the demonstration data have shape {:?}; give data for this model with --data",
            its_model.shape()
        );
    }
    memory::restore(&its_model, data::DEMO, NonZeroUsize::MIN)
}

fn to_json(
    args: &Args,
    model: &VaeModel,
    subject: &Subject,
    coded: &Coded,
    bound: &Bound,
) -> serde_json::Value {
    let r = &coded.report;
    json!({
        "model": model.name(),
        "data": subject.name,
        "count": r.count,
        "of": subject.of,
        "dims": r.dims,
        "lanes": args.lanes,
        "threads": args.threads.get().get(),
        "simd": model.vae().path().name(),
        "file_bytes": r.file_bytes,
        "frame_bytes": r.frame_bytes,
        "initial_bits": r.initial_bits,
        "gross_bits_per_dim": r.gross_bits_per_dim(),
        "net_bits_per_dim": r.net_bits_per_dim(),
        "negative_elbo_bits_per_dim": bound.bits_per_dim,
        "negative_elbo_standard_error": bound.standard_error,
        "kl_bits_per_dim": bound.kl_bits_per_dim,
        "samples": args.samples,
        "seed": args.seed,
        "gross_over_negative_elbo": r.gross_bits_per_dim() / bound.bits_per_dim,
        "encode_per_second": r.count as f64 / coded.encode_seconds,
        "decode_per_second": r.count as f64 / coded.decode_seconds,
        "decoded_and_compared": true,
    })
}

fn print(
    out: &mut impl Write,
    args: &Args,
    model: &VaeModel,
    subject: &Subject,
    coded: &Coded,
    bound: &Bound,
) -> Result<()> {
    let r = &coded.report;
    let over = |bits: f64| 100.0 * (bits / bound.bits_per_dim - 1.0);
    let (gross, net) = (r.gross_bits_per_dim(), r.net_bits_per_dim());
    writeln!(out, "model    {}", model.name())?;
    writeln!(
        out,
        "data     {}: {} of {}",
        subject.name, r.count, subject.of
    )?;
    writeln!(
        out,
        "\n{:<26} {:>9} {:>9}  over the bound",
        "", "bits/dim", "bytes"
    )?;
    writeln!(
        out,
        "{:<26} {gross:>9.5} {:>9}  {:+.2}%",
        "gross: the whole file",
        r.file_bytes,
        over(gross)
    )?;
    let net_bytes = (r.net_bits / 8.0).round() as u64;
    writeln!(
        out,
        "{:<26} {net:>9.5} {net_bytes:>9}  {:+.2}%",
        "net: growth of the message",
        over(net)
    )?;
    let what = format!("bound: -ELBO, {} samples", args.samples);
    let bound_bytes = (bound.bits_per_dim * (r.count as f64 * r.dims as f64) / 8.0).round() as u64;
    writeln!(
        out,
        "{what:<26} {:>9.5} {bound_bytes:>9}  standard error {:.5}",
        bound.bits_per_dim, bound.standard_error
    )?;
    let initial = r.initial_bits / 8;
    let heads = r.file_bytes as i64 - r.frame_bytes as i64 - initial as i64 - net_bytes as i64;
    writeln!(
        out,
        "\noverhead {} bytes = headers and checksums {}, initial bits {initial}, heads {heads}",
        r.file_bytes as i64 - net_bytes as i64,
        r.frame_bytes
    )?;
    writeln!(
        out,
        "speed    encode {:.0}/s, decode {:.0}/s ({} threads, {} lanes, {})",
        r.count as f64 / coded.encode_seconds,
        r.count as f64 / coded.decode_seconds,
        args.threads.get(),
        args.lanes,
        model.vae().path().name()
    )?;
    writeln!(
        out,
        "verified the file was decoded; all {} bytes equal",
        subject.content.len()
    )?;
    Ok(())
}
