//! `bbans compare toy`.

use std::io::Write;

use anyhow::{Context, Result, bail};
use bbans_twopart::{
    BlockFigures, ClippedBlock, Code, DyadicSplits, EliasDelta, ExactBlock, Greedy, Pair,
    PoissonFunctional, Rejection, Shared, block_figures, check_empty, deviation, empty_message,
    message_bits,
};
use serde_json::{Value, json};

use super::ToyArgs;
use super::family::pair;
use super::plots;
use crate::support::terminal::stdout;

/// Blocks of Monte Carlo where types are too many.
const SAMPLES: u32 = 20_000;
/// Longest block that the protocol is run for.
const MAX_BLOCK: usize = 10_000;
/// Candidates that a machine draws in a year: 10^8 a second.
const CANDIDATES_A_YEAR: f64 = 3.15e15;

/// What a protocol gave over its messages.
#[derive(Debug, Clone, Copy)]
struct Measured {
    messages: u32,
    /// Bits of part 1: mean and standard error.
    bits: f64,
    error: f64,
    candidates: f64,
}

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
    let singles = singles(args, &pair)?;
    let mut rows = Vec::new();
    for &n in &args.n {
        rows.push(row(args, &pair, n).with_context(|| format!("blocks of {n}"))?);
    }
    if let Some(folder) = &args.plots {
        let figures: Vec<_> = rows.iter().map(|row| row.figures).collect();
        plots::toy(folder, pair.kl_bits(), &figures)?;
    }
    let mut out = stdout()?.lock();
    if args.json {
        return Ok(writeln!(
            out,
            "{:#}",
            to_json(args, &pair, &singles, &rows)
        )?);
    }
    print(&mut out, args, &pair, &singles, &rows)
}

fn print(
    out: &mut impl Write,
    args: &ToyArgs,
    pair: &Pair,
    singles: &[(&str, Option<Measured>)],
    rows: &[Row],
) -> Result<()> {
    writeln!(
        out,
        "q = {}, p = {}: KL {:.4} bits, log2 max(q/p) {:.4} bits\n",
        args.q,
        args.p,
        pair.kl_bits(),
        pair.log2_max_ratio()
    )?;
    writeln!(
        out,
        "one draw a message, exact codes: bits of part 1, every message decoded"
    )?;
    for (name, measured) in singles {
        match measured {
            Some(m) => writeln!(
                out,
                "  {name:<38} {:>9.4} +- {:.4}   {:>9.2} candidates",
                m.bits, m.error, m.candidates
            )?,
            None => writeln!(out, "  {name:<38} not applicable")?,
        }
    }
    writeln!(
        out,
        "\nblocks, clipped acceptance: figures summed over types, protocol beside them; bits a draw"
    )?;
    writeln!(
        out,
        "{:>7} {:>10} {:>9} {:>9} {:>8} {:>22} {:>22}",
        "n", "log2 cand.", "bits", "TV", "delta", "clipped, measured", "made exact, measured"
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

/// What a message over budget would take.
fn price(log2_candidates: f64) -> String {
    let years = log2_candidates - CANDIDATES_A_YEAR.log2();
    if years > 0.0 {
        format!("2^{log2_candidates:.0}: 2^{years:.0} years")
    } else {
        format!("2^{log2_candidates:.0} candidates")
    }
}

fn to_json(
    args: &ToyArgs,
    pair: &Pair,
    singles: &[(&str, Option<Measured>)],
    rows: &[Row],
) -> Value {
    let measured = |m: &Option<Measured>| {
        m.map(|m| {
            json!({ "messages": m.messages, "bits": m.bits, "standard_error": m.error,
                    "candidates": m.candidates, "decoded_and_compared": true })
        })
    };
    let singles = singles
        .iter()
        .map(|(name, m)| json!({ "code": name, "measured": measured(m) }));
    let rows = rows.iter().map(|row| {
        let f = row.figures;
        json!({ "n": f.n, "log2_m": f.log2_m, "log2_candidates": f.log2_candidates,
                "bits_per_draw": f.bits_per_draw(), "total_variation": f.total_variation,
                "delta": f.delta, "standard_error": f.standard_error,
                "clipped": measured(&row.clipped), "exact": measured(&row.exact) })
    });
    json!({
        "q": args.q.to_string(),
        "p": args.p.to_string(),
        "kl_bits": pair.kl_bits(),
        "log2_max_ratio": pair.log2_max_ratio(),
        "seed": args.seed,
        "one_draw": singles.collect::<Vec<_>>(),
        "blocks": rows.collect::<Vec<_>>(),
    })
}

/// The exact codes on one draw.
fn singles(args: &ToyArgs, pair: &Pair) -> Result<Vec<(&'static str, Option<Measured>)>> {
    let (kl, log2_m) = (pair.kl_bits(), pair.log2_max_ratio().max(0.0));
    let one = std::slice::from_ref(pair);
    let rejection = if log2_m <= f64::from(args.budget) {
        measure(args, &Rejection::of_known_ratio(log2_m)?, one, log2_m)?
    } else {
        None
    };
    let symbols = pair.probabilities().len();
    let splits = if symbols.is_power_of_two() {
        let depth = symbols.ilog2();
        let code = DyadicSplits::new(depth, &vec![1.0; depth as usize + 1])?;
        measure(args, &code, one, 2.0)?
    } else {
        None
    };
    Ok(vec![
        ("rejection sampling, M known, geometric", rejection),
        (
            "greedy rejection sampling, Zipf index",
            measure(args, &Greedy::new(kl)?, one, kl)?,
        ),
        (
            "Poisson functional, Zipf index",
            measure(args, &PoissonFunctional::new(kl, args.budget)?, one, log2_m)?,
        ),
        (
            "Poisson functional, Elias delta index",
            measure(
                args,
                &PoissonFunctional::with_index(EliasDelta, args.budget),
                one,
                log2_m,
            )?,
        ),
        ("A* coding, dyadic splits", splits),
    ])
}

fn row(args: &ToyArgs, pair: &Pair, n: usize) -> Result<Row> {
    let eps = args.margin * deviation(pair) / (n as f64).sqrt();
    let figures = block_figures(pair, n, eps, SAMPLES, args.seed)?;
    let cost = figures.log2_candidates;
    // A block of which everything is sent by candidates must be drawn; else say what it would take.
    let (clipped, exact) = if cost <= f64::from(args.budget) && n <= MAX_BLOCK {
        let latents = vec![pair.clone(); n];
        let code = ClippedBlock::new(figures.log2_m, cost.max(0.0))?;
        let prior = vec![pair.prior().clone(); n];
        let exact = ExactBlock::new(code.clone(), prior, figures.delta);
        let total = cost + (n as f64).log2();
        (
            measure(args, &code, &latents, total)?,
            measure(args, &exact, &latents, total)?,
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

/// Runs a protocol, decoding and comparing every message; as many as 2^26 draws allow.
fn measure(
    args: &ToyArgs,
    code: &impl Code,
    latents: &[Pair],
    log2_draws: f64,
) -> Result<Option<Measured>> {
    let affordable = (26.0 - log2_draws).exp2().clamp(10.0, 1e9) as u32;
    let messages = args.messages.min(affordable);
    let prior: Vec<_> = latents.iter().map(|pair| pair.prior().clone()).collect();
    let (mut sum, mut squares, mut candidates) = (0.0, 0.0, 0);
    for number in 0..u64::from(messages) {
        let Some(chosen) = code.choose(latents, &mut Shared::new(args.seed, number, 0))? else {
            return Ok(None);
        };
        let mut message = empty_message()?;
        code.push(&mut message, &chosen.index)?;
        let bits = message_bits(&message);
        sum += bits;
        squares += bits * bits;
        candidates += chosen.candidates;
        let index = code.pop(&mut message)?;
        let z = code.receive(&prior, &index, &mut Shared::new(args.seed, number, 0))?;
        check_empty(&message)?;
        if z != chosen.z {
            bail!("message {number} does not decode; this is a bug, please report it");
        }
    }
    let count = f64::from(messages);
    let mean = sum / count;
    Ok(Some(Measured {
        messages,
        bits: mean,
        error: ((squares / count - mean * mean).max(0.0) / count).sqrt(),
        candidates: candidates as f64 / count,
    }))
}
