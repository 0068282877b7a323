//! The figures on the terminal.

use std::io::Write;

use anyhow::Result;

use super::super::rivals::Outcome;
use super::{Bench, ModelFigures, ranking};

/// Prints everything that was measured.
pub(in super::super) fn print(out: &mut impl Write, bench: &Bench<'_>) -> Result<()> {
    let data = &bench.data.data;
    writeln!(
        out,
        "data     {}: {} of {}, shape {:?}",
        bench.data.name,
        data.count(),
        bench.data.of,
        data.shape
    )?;
    for m in &bench.models {
        model(out, bench, m)?;
    }
    if bench.rivals.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:>4}  {:<46} {:>8} {:>10} {:>9} {:>9}",
        "rank",
        "of one file each, decoded and compared",
        "bits/dim",
        "bytes",
        "encode s",
        "decode s"
    )?;
    for (i, r) in ranking(bench).iter().enumerate() {
        writeln!(
            out,
            "{:>4}  {:<46} {:>8.5} {:>10} {:>9.3} {:>9.3}",
            i + 1,
            r.name,
            bench.bits_per_dim(r.bytes),
            r.bytes,
            r.encode_seconds,
            r.decode_seconds
        )?;
    }
    for r in &bench.rivals {
        match &r.outcome {
            Outcome::Measured { .. } => {}
            Outcome::NotApplicable => {
                writeln!(out, "   -  {:<46} not for data of this kind", r.name)?;
            }
            Outcome::NotInstalled(install) => {
                writeln!(out, "   -  {:<46} not installed: {install}", r.name)?;
            }
            Outcome::Failed(why) => writeln!(out, "   -  {:<46} failed: {why}", r.name)?,
        }
    }
    Ok(())
}

fn model(out: &mut impl Write, bench: &Bench<'_>, m: &ModelFigures) -> Result<()> {
    let r = &m.coded.report;
    let overhead = m.overhead();
    let over = |bits: f64| 100.0 * (bits / m.bound() - 1.0);
    let bytes = |bits: f64| (bits * bench.values() / 8.0).round() as u64;
    let (gross, net) = (r.gross_bits_per_dim(), r.net_bits_per_dim());
    writeln!(out, "\nmodel    {}, {} bytes", m.name, m.model_bytes)?;
    writeln!(
        out,
        "{:<30} {:>9} {:>9}  over the bound",
        "", "bits/dim", "bytes"
    )?;
    writeln!(
        out,
        "{:<30} {gross:>9.5} {:>9}  {:+.2}%",
        "gross: the whole file",
        r.file_bytes,
        over(gross)
    )?;
    writeln!(
        out,
        "{:<30} {net:>9.5} {:>9}  {:+.2}%",
        "net: growth of the message",
        bytes(net),
        over(net)
    )?;
    let samples = m.samples;
    let error = if m.bound.standard_error.is_nan() {
        "one sample: no standard error".to_owned()
    } else {
        format!("standard error {:.5}", m.bound.standard_error)
    };
    writeln!(
        out,
        "{:<30} {:>9.5} {:>9}  {error}",
        format!(
            "{}-ELBO, {samples} samples",
            if m.particles > 1 { "" } else { "bound: " }
        ),
        m.bound.bits_per_dim,
        bytes(m.bound.bits_per_dim)
    )?;
    let weighted = m.bound.importance_bits_per_dim;
    writeln!(
        out,
        "{:<30} {weighted:>9.5} {:>9}  {:+.2}%",
        if m.particles > 1 {
            "bound: importance-weighted"
        } else {
            "importance-weighted, the same"
        },
        bytes(weighted),
        over(weighted)
    )?;
    let sum = r.file_bytes as f64 - bytes(m.bound()) as f64;
    writeln!(
        out,
        "overhead {sum:+.0} bytes = headers and checksums {:.0}, initial words {:.0}, points {:+.0}, heads {:.0}, bins \
         {:+.0},",
        overhead.headers, overhead.initial_words, overhead.points, overhead.heads, overhead.bins
    )?;
    let packed = match r.packed_blocks {
        0 => String::new(),
        packed => format!("; {packed} of {} blocks are packed", r.blocks),
    };
    writeln!(
        out,
        "         integer masses {:+.0}, bits that are not clean {:+.0}, the draw {:+.0} (these two with a standard error \
         of {:.0}){packed}",
        overhead.masses, overhead.unclean, overhead.draw, overhead.standard_error
    )?;
    let memory = m.peak_memory.map_or(String::new(), |bytes| {
        format!("; peak memory {} MB", bytes.div_ceil(1_000_000))
    });
    let coding = bench.args.coding;
    let particles = match coding.particles {
        1 => String::new(),
        n if coding.uncoupled => format!("{n} particles, not coupled, "),
        n => format!("{n} particles, "),
    };
    if m.by_symbol.len() > 1 {
        let each = m.by_symbol.iter();
        let each: Vec<String> = each
            .map(|(name, bits)| format!("{name} {bits:.3}"))
            .collect();
        writeln!(out, "bits by  {}", each.join(", "))?;
    }
    writeln!(
        out,
        "speed    encode {:.0}/s, {:.1} MB/s; decode {:.0}/s, {:.1} MB/s ({} threads, {} lanes, \
         {particles}{}){memory}",
        r.count as f64 / m.coded.encode_seconds,
        bench.megabytes(m.coded.encode_seconds),
        r.count as f64 / m.coded.decode_seconds,
        bench.megabytes(m.coded.decode_seconds),
        coding.threads.get(),
        coding.lanes,
        m.simd
    )?;
    if let Some((rival, _)) = bench.best_rival() {
        match bench.break_even(m) {
            Some(count) => writeln!(
                out,
                "rivals   with the model's own bytes smaller than the best, {rival}, from {count} \
                 data on"
            )?,
            None => writeln!(out, "rivals   the best, {rival}, is smaller")?,
        }
    }
    writeln!(
        out,
        "verified the file was decoded; all {} bytes equal",
        bench.data.content.bytes.len()
    )?;
    Ok(())
}
