//! `bbans compare toy`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use bbans_twopart::{BlockFigures, ClippedBlock, ExactBlock, Pair, block_figures, deviation};
use serde_json::{Value, json};

use super::ToyArgs;
use super::channel::{self, Channel, Measured, Messages, Row as Single, measure, measure_all};
use super::codes::BoxedCode;
use super::family::{Family, pair};
use super::kl::kl_nats;
use super::plots;
use crate::support::files::OutputFolder;
use crate::support::terminal::stdout;

/// Blocks of Monte Carlo where types are too many.
const SAMPLES: u32 = 20_000;
/// Longest block that the protocol is run for.
const MAX_BLOCK: usize = 10_000;
/// Most symbols of all its draws: each has its own copy.
const MAX_SYMBOLS: usize = 1 << 22;
/// Candidates that a machine draws in a year: 10^8 a second.
const CANDIDATES_A_YEAR: f64 = 3.15e15;

/// One block length.
struct Row {
    figures: BlockFigures,
    clipped: Option<Measured>,
    exact: Option<Measured>,
}

pub(super) fn run(args: &ToyArgs) -> Result<()> {
    let pair = pair(&args.q, &args.p)?;
    if !args.margin.is_finite() || args.margin < 0.0 {
        bail!("a margin of {}; expected 0 or more", args.margin);
    }
    let plots = (args.plots.as_deref()).map(|folder| OutputFolder::create(folder, None, false));
    let plots = plots.transpose()?;
    let channel = Channel {
        rows: vec![pair.clone()],
    };
    let singles = measure_all(&channel, args.budget, messages(args))?;
    let mut rows = Vec::new();
    for &n in &args.n {
        rows.push(row(args, &pair, n).with_context(|| format!("blocks of {n}"))?);
    }
    if let Some(out) = plots {
        let figures: Vec<_> = rows.iter().map(|row| row.figures).collect();
        plots::toy(out.path(), pair.kl_bits(), &figures)?;
        out.commit()?;
    }
    let mut out = stdout()?.lock();
    if args.json {
        return Ok(writeln!(
            out,
            "{:#}",
            to_json(args, &pair, &singles, &rows)?
        )?);
    }
    print(&mut out, args, &pair, &singles, &rows)
}

fn print(
    out: &mut impl Write,
    args: &ToyArgs,
    pair: &Pair,
    singles: &[Single],
    rows: &[Row],
) -> Result<()> {
    if let Some(densities) = kl_of_densities(args)? {
        writeln!(
            out,
            "normal distributions are taken over {} bins of equal mass of p: KL of the densities {densities:.4} bits",
            pair.probabilities().len()
        )?;
    }
    writeln!(
        out,
        "q = {}, p = {}: KL {:.4} bits, channel simulation divergence {:.4} bits, log2 max(q/p) {:.4} bits\n",
        args.q,
        args.p,
        pair.kl_bits(),
        pair.channel_simulation_divergence(),
        pair.log2_max_ratio()
    )?;
    channel::print_rows(out, "one draw a message, exact codes", singles)?;
    writeln!(
        out,
        "\nblocks, clipped acceptance: figures summed over types, protocol beside them; bits a draw, of an index at most"
    )?;
    writeln!(
        out,
        "{:>7} {:>10} {:>9} {:>9} {:>8} {:>22} {:>22}",
        "n", "log2 cand.", "at most", "TV", "delta", "clipped, measured", "made exact, measured"
    )?;
    for row in rows {
        let f = row.figures;
        let measured = |m: Option<Measured>| match m {
            Some(m) => format!("{:.4} +- {:.4}", m.bits / f.n as f64, m.error / f.n as f64),
            None => price(f.log2_candidates),
        };
        writeln!(
            out,
            "{:>7} {:>10.2} {:>9.4} {:>9.4} {:>8.4} {:>22} {:>22}{}",
            f.n,
            f.log2_candidates,
            f.bits_per_draw(),
            f.total_variation,
            f.delta,
            measured(row.clipped),
            measured(row.exact),
            if f.standard_error > 0.0 {
                format!("  (Monte Carlo, delta +- {:.4})", f.standard_error)
            } else {
                String::new()
            }
        )?;
    }
    Ok(())
}

/// `KL(q, p)` in bits of normal distributions as they are, and not over bins.
fn kl_of_densities(args: &ToyArgs) -> Result<Option<f64>> {
    Ok(match args.q {
        Family::Categorical(_) => None,
        Family::Gaussian { .. } => Some(kl_nats(&args.q, &args.p)? / std::f64::consts::LN_2),
    })
}

/// What a message over budget would take.
fn price(log2_candidates: f64) -> String {
    let years = log2_candidates - CANDIDATES_A_YEAR.log2();
    if years > 0.0 {
        format!("not run: 2^{years:.0} years")
    } else {
        "not run".to_owned()
    }
}

fn to_json(args: &ToyArgs, pair: &Pair, singles: &[Single], rows: &[Row]) -> Result<Value> {
    let rows = rows.iter().map(|row| {
        let f = row.figures;
        json!({ "n": f.n, "log2_m": f.log2_m, "log2_candidates": f.log2_candidates,
                "bits_per_draw": f.bits_per_draw(), "total_variation": f.total_variation,
                "delta": f.delta, "standard_error": f.standard_error,
                "clipped": channel::to_json(&row.clipped), "exact": channel::to_json(&row.exact) })
    });
    Ok(json!({
        "q": args.q.to_string(),
        "p": args.p.to_string(),
        "symbols": pair.probabilities().len(),
        "kl_bits": pair.kl_bits(),
        "kl_of_densities_bits": kl_of_densities(args)?,
        "channel_simulation_divergence_bits": pair.channel_simulation_divergence(),
        "log2_max_ratio": pair.log2_max_ratio(),
        "seed": args.seed,
        "one_draw": channel::rows_to_json(singles),
        "blocks": rows.collect::<Vec<_>>(),
    }))
}

fn messages(args: &ToyArgs) -> Messages {
    Messages {
        most: args.messages,
        seed: args.seed,
    }
}

fn row(args: &ToyArgs, pair: &Pair, n: usize) -> Result<Row> {
    let eps = args.margin * deviation(pair) / (n as f64).sqrt();
    let figures = block_figures(pair, n, eps, SAMPLES, args.seed)?;
    let cost = figures.log2_candidates;
    // A block of which everything is sent by candidates must be drawn; else say what it would take.
    let fits = n <= MAX_BLOCK && n * pair.probabilities().len() <= MAX_SYMBOLS;
    let (clipped, exact) = if cost <= f64::from(args.budget) && fits {
        let latents = vec![pair.clone(); n];
        let code = ClippedBlock::new(figures.log2_m, cost.max(0.0))?;
        let prior = vec![pair.prior().clone(); n];
        let exact = ExactBlock::new(code.clone(), prior, figures.delta);
        let total = cost + (n as f64).log2();
        let (all, messages) = (|_| latents.as_slice(), messages(args));
        (
            measure(&(Box::new(code) as BoxedCode), &all, total, messages)?,
            measure(&(Box::new(exact) as BoxedCode), &all, total, messages)?,
        )
    } else {
        (None, None)
    };
    Ok(Row {
        figures,
        clipped,
        exact,
    })
}
