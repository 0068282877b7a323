//! The figures as CSV: a row for each model and each rival.

use std::io::Write;

use anyhow::Result;

use super::super::rivals::Outcome;
use super::Bench;

/// Writes the rows.
pub(in super::super) fn write(out: &mut impl Write, bench: &Bench<'_>) -> Result<()> {
    writeln!(
        out,
        "what,kind,layout,bytes,bits_per_dim,net_bits_per_dim,negative_elbo_bits_per_dim,\
         importance_weighted_bits_per_dim,model_bytes,encode_seconds,decode_seconds"
    )?;
    for m in &bench.models {
        let r = &m.coded.report;
        writeln!(
            out,
            "{},model,,{},{:.6},{:.6},{:.6},{:.6},{},{:.4},{:.4}",
            quoted(&m.name),
            r.file_bytes,
            r.gross_bits_per_dim(),
            r.net_bits_per_dim(),
            m.bound.bits_per_dim,
            m.bound.importance_bits_per_dim,
            m.model_bytes,
            m.coded.encode_seconds,
            m.coded.decode_seconds
        )?;
    }
    for r in &bench.rivals {
        match &r.outcome {
            Outcome::Measured {
                best,
                bytes,
                encode_seconds,
                decode_seconds,
                ..
            } => writeln!(
                out,
                "{},rival,{},{bytes},{:.6},,,,0,{encode_seconds:.4},{decode_seconds:.4}",
                quoted(r.name),
                quoted(best),
                bench.bits_per_dim(*bytes)
            )?,
            Outcome::NotInstalled(_) => writeln!(out, "{},not installed,,,,,,,,,", quoted(r.name))?,
            Outcome::NotApplicable => {}
            Outcome::Failed(_) => writeln!(out, "{},failed,,,,,,,,,", quoted(r.name))?,
        }
    }
    Ok(())
}

/// A field of a row (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
