//! Measuring: a real file, decoded and compared; and the bound beside it.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::num::NonZeroUsize;
use std::time::Instant;

use anyhow::{Result, bail};
use bbans::block::Way;
use bbans::nn::Likelihood;
use bbans::nn::description::Values;
use bbans::{Elbo, FileModel, Options, Report, VaeModel};
use ndarray::ArrayView2;

use super::subject::Content;
use crate::support::chain::chain;
use crate::support::files::Scratch;
use crate::support::memory;
use crate::support::rows::DataSet;
use crate::support::threads::on_threads;

/// What the coding of a data set gave.
pub(super) struct Coded {
    pub(super) report: Report,
    pub(super) encode_seconds: f64,
    pub(super) decode_seconds: f64,
}

/// Compresses the data file `content` to a file, decodes that, and compares every byte.
pub(super) fn code(model: &VaeModel, content: &Content, options: Options) -> Result<Coded> {
    let folder = Scratch::new()?;
    let path = folder.path().join("bench.bbans");
    let reader = content.open()?;
    let mut file = BufWriter::new(File::create(&path)?);
    let start = Instant::now();
    let report = bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    file.flush()?;
    let encode_seconds = start.elapsed().as_secs_f64();
    let size = file.get_ref().metadata()?.len();
    if size != report.file_bytes {
        bail!(
            "the file has {size} bytes, the report counts {}",
            report.file_bytes
        );
    }
    let start = Instant::now();
    let restored = memory::restore(model, BufReader::new(File::open(&path)?), options.threads)?;
    let decode_seconds = start.elapsed().as_secs_f64();
    if restored != **content.bytes {
        bail!("the decoded bytes are not those of the data; this is a bug, please report it");
    }
    Ok(Coded {
        report,
        encode_seconds,
        decode_seconds,
    })
}

/// The mean of the bound over the data, in bits per dimension.
pub(super) struct Bound {
    pub(super) bits_per_dim: f64,
    pub(super) kl_bits_per_dim: f64,
    /// The importance-weighted bound.
    pub(super) importance_bits_per_dim: f64,
    /// By the draws of the latents; NaN, in JSON null, for a single sample, which has no spread.
    pub(super) standard_error: f64,
}

pub(super) fn bound(
    model: &VaeModel,
    data: &DataSet,
    samples: usize,
    seed: u64,
    threads: NonZeroUsize,
) -> Result<Bound> {
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
    let values = view.len() as f64;
    let bounds = on_threads(view, threads, |first, rows| {
        Ok(bbans::elbo(model, rows, samples, seed, first as u64)?)
    })?;
    let mean = |bits: fn(&Elbo) -> f64| bounds.iter().map(bits).sum::<f64>() / values;
    let variance: f64 = bounds.iter().map(|b| b.standard_error_bits.powi(2)).sum();
    Ok(Bound {
        bits_per_dim: mean(Elbo::bits),
        kl_bits_per_dim: mean(|b| b.kl_bits),
        importance_bits_per_dim: mean(|b| b.importance_bits),
        standard_error: variance.sqrt() / values,
    })
}

/// What all data take, in bits, by which an overhead is told apart.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Causes {
    /// What bins cost, at a draw of the latents.
    pub(super) bins_bits: f64,
    /// What integer masses of the likelihood cost besides, at the same draw.
    pub(super) masses_bits: f64,
    /// Data on messages of fresh random words.
    pub(super) fresh_bits: f64,
    /// Standard error of the difference of two draws of all latents.
    pub(super) draw_bits: f64,
}

pub(super) fn causes(
    model: &VaeModel,
    data: &DataSet,
    way: Way,
    seed: u64,
    threads: NonZeroUsize,
) -> Result<Causes> {
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
    let of_datum = on_threads(view, threads, |first, rows| {
        let exact = bbans::elbo(model, rows, 1, seed, first as u64)?;
        let again = bbans::elbo(model, rows, 1, seed.wrapping_add(1), first as u64)?;
        let binned = bbans::binned(model, rows, seed, first as u64)?;
        let costs = exact.iter().zip(&again).zip(&binned);
        let costs = costs.map(|((exact, again), b)| {
            let exact = exact.importance_bits;
            let difference = exact - again.importance_bits;
            [
                b.bits - exact,
                b.coded_bits - b.bits,
                difference * difference,
            ]
        });
        Ok(costs.collect())
    })?;
    let sum = |i: usize| {
        of_datum
            .iter()
            .map(|costs: &[f64; 3]| costs[i])
            .sum::<f64>()
    };
    let fresh = on_threads(view, threads, |first, rows| {
        Ok(bbans::fresh_bits(model, rows, way, seed, first as u64)?)
    })?;
    Ok(Causes {
        bins_bits: sum(0),
        masses_bits: sum(1),
        fresh_bits: fresh.iter().sum(),
        draw_bits: sum(2).sqrt(),
    })
}

/// Mean bits of each symbol of a position, by its name: a column of a table, a channel.
pub(super) fn by_symbol(
    model: &VaeModel,
    data: &DataSet,
    seed: u64,
    threads: NonZeroUsize,
) -> Result<Vec<(String, f64)>> {
    let Likelihood::Autoregressive(likelihood) = model.vae().likelihood() else {
        return Ok(Vec::new());
    };
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
    let of_parts = on_threads(view, threads, |first, rows| {
        let bits = bbans::bits_of_dims(model, rows, seed, first as u64)?;
        Ok(vec![bits.unwrap_or_default()])
    })?;
    let mut sums = vec![0.0; likelihood.symbols];
    for of_part in of_parts {
        let dims = of_part.iter().enumerate();
        dims.for_each(|(dim, bits)| sums[dim % likelihood.symbols] += bits);
    }
    let values = view.len() as f64 / likelihood.symbols as f64;
    let name = |i: usize| match model.values() {
        Values::Columns(columns) => columns[i].name.clone(),
        Values::GreenFirst(_) => {
            ["green", "red less green", "blue less green", "alpha"][i].to_owned()
        }
        Values::Numbers(_) if likelihood.symbols == 1 => "values".to_owned(),
        Values::Numbers(_) => format!("channel {i}"),
    };
    let named = sums.iter().enumerate();
    Ok(named.map(|(i, bits)| (name(i), bits / values)).collect())
}

/// Net bits of each datum, coded one after another on one lane of a message for each thread; decoded
/// and compared.
pub(super) fn per_datum(
    model: &VaeModel,
    data: &DataSet,
    threads: NonZeroUsize,
) -> Result<Vec<f64>> {
    let view = ArrayView2::from_shape((data.count(), data.dims()), &data.symbols)?;
    on_threads(view, threads, |_, rows| Ok(chain(model, rows)?.net_bits))
}
