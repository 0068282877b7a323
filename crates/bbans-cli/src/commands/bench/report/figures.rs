//! The figures as JSON.

use serde_json::{Value, json};

use super::super::rivals::{Contender, Outcome};
use super::{Bench, ModelFigures};
use crate::support::hex;

/// Figures of a model that an expectation can name.
pub(in super::super) const MODEL_FIGURES: [&str; 23] = [
    "file_bytes",
    "gross_bits_per_dim",
    "net_bits_per_dim",
    "negative_elbo_bits_per_dim",
    "negative_elbo_standard_error",
    "kl_bits_per_dim",
    "importance_weighted_bits_per_dim",
    "gross_over_negative_elbo",
    "net_over_negative_elbo",
    "frame_bytes",
    "initial_bits",
    "points",
    "packed_blocks",
    "point_bytes",
    "head_bytes",
    "bins_bytes",
    "masses_bytes",
    "unclean_bytes",
    "draw_bytes",
    "model_bytes",
    "encode_per_second",
    "decode_per_second",
    "peak_memory_bytes",
];

/// Everything that was measured.
pub(in super::super) fn to_json(bench: &Bench<'_>) -> Value {
    let args = bench.args;
    let data = &bench.data.data;
    let best = bench.best_rival();
    json!({
        "data": {
            "name": bench.data.name,
            "count": data.count(),
            "of": bench.data.of,
            "shape": data.shape,
            "dims": data.dims(),
            "bytes": bench.data.content.bytes.len(),
            "blake3": blake3::hash(&bench.data.content.bytes).to_hex().as_str(),
        },
        "settings": {
            "format": args.coding.format,
            "lanes": args.coding.lanes,
            "particles": args.coding.particles,
            "coupled": !args.coding.uncoupled,
            "threads": args.coding.threads.get().get(),
            "samples": args.samples(),
            "seed": args.seed,
        },
        "models": bench.models.iter().map(|m| model(bench, m)).collect::<Value>(),
        "rivals": bench.rivals.iter().map(|r| rival(bench, r)).collect::<Value>(),
        "best_rival": best.map(|(name, bytes)| json!({
            "rival": name,
            "bits_per_dim": bench.bits_per_dim(bytes),
        })),
        "decoded_and_compared": true,
    })
}

fn model(bench: &Bench<'_>, m: &ModelFigures) -> Value {
    let r = &m.coded.report;
    let overhead = m.overhead();
    let (gross, net) = (r.gross_bits_per_dim(), r.net_bits_per_dim());
    json!({
        "model": m.name,
        "fingerprint": hex(&m.fingerprint),
        "simd": m.simd,
        "model_bytes": m.model_bytes,
        "file_bytes": r.file_bytes,
        "frame_bytes": r.frame_bytes,
        "initial_bits": r.initial_bits,
        "points": r.points,
        "packed_blocks": r.packed_blocks,
        "point_bytes": overhead.points,
        "head_bytes": overhead.heads,
        "bins_bytes": overhead.bins,
        "masses_bytes": overhead.masses,
        "unclean_bytes": overhead.unclean,
        "draw_bytes": overhead.draw,
        "draw_standard_error_bytes": overhead.standard_error,
        "gross_bits_per_dim": gross,
        "net_bits_per_dim": net,
        "bits_by_symbol": m.by_symbol.iter().map(|(name, bits)| json!({"name": name, "bits": bits})).collect::<Vec<_>>(),
        "negative_elbo_bits_per_dim": m.bound.bits_per_dim,
        "negative_elbo_standard_error": m.bound.standard_error,
        "kl_bits_per_dim": m.bound.kl_bits_per_dim,
        "importance_weighted_bits_per_dim": m.bound.importance_bits_per_dim,
        "gross_over_negative_elbo": gross / m.bound.bits_per_dim,
        "net_over_negative_elbo": net / m.bound.bits_per_dim,
        "encode_per_second": r.count as f64 / m.coded.encode_seconds,
        "decode_per_second": r.count as f64 / m.coded.decode_seconds,
        "encode_megabytes_per_second": bench.megabytes(m.coded.encode_seconds),
        "decode_megabytes_per_second": bench.megabytes(m.coded.decode_seconds),
        "peak_memory_bytes": m.peak_memory,
        "break_even_count": bench.break_even(m),
    })
}

fn rival(bench: &Bench<'_>, r: &Contender) -> Value {
    match &r.outcome {
        Outcome::Measured {
            best,
            tried,
            bytes,
            encode_seconds,
            decode_seconds,
        } => json!({
            "rival": r.name,
            "best": best,
            "tried": tried,
            "bytes": bytes,
            "bits_per_dim": bench.bits_per_dim(*bytes),
            "encode_seconds": encode_seconds,
            "decode_seconds": decode_seconds,
        }),
        Outcome::NotInstalled(install) => json!({"rival": r.name, "not_installed": install}),
        Outcome::NotApplicable => json!({"rival": r.name, "not_applicable": true}),
        Outcome::Failed(why) => json!({"rival": r.name, "failed": why}),
    }
}
