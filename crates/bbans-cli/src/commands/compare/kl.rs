//! `bbans compare kl`.

use std::io::Write;

use anyhow::{Result, bail};
use bbans_twopart::estimators::{Estimate, NAMES, estimate};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::KlArgs;
use super::family::Family;
use crate::support::terminal::stdout;

pub(super) fn run(args: &KlArgs) -> Result<()> {
    let mut out = stdout()?.lock();
    let mut all = Vec::new();
    for p in &args.p {
        let (truth, reverse) = (kl_nats(&args.q, p)?, kl_nats(p, &args.q)?);
        let found = estimate(log_ratios(&args.q, p, args.samples, args.seed));
        if args.json {
            all.push(to_json(args, p, truth, reverse, &found));
            continue;
        }
        writeln!(
            out,
            "q = {}, p = {p}: KL(q, p) {truth:.6} nats, KL(p, q) {reverse:.6} nats",
            args.q
        )?;
        writeln!(
            out,
            "{:<10} {:>12} {:>12} {:>12}",
            "", "mean", "bias", "deviation"
        )?;
        for (name, found) in NAMES.iter().zip(&found) {
            let truth = if *name == "reverse" { reverse } else { truth };
            // There is no ratio to a truth of 0 or infinity.
            let over = |v: f64| match truth.is_normal() {
                true => format!("{:.4}", v / truth),
                false => "-".to_owned(),
            };
            writeln!(
                out,
                "{name:<10} {:>12.6} {:>12} {:>12}",
                found.mean,
                over(found.mean - truth),
                over(found.deviation)
            )?;
        }
        writeln!(
            out,
            "(bias and deviation as multiples of the truth; reverse, r log r - (r - 1), estimates KL(p, q); {} samples, seed {})\n",
            args.samples, args.seed
        )?;
    }
    if args.json {
        writeln!(out, "{:#}", Value::Array(all))?;
    }
    Ok(())
}

fn to_json(args: &KlArgs, p: &Family, truth: f64, reverse: f64, found: &[Estimate; 4]) -> Value {
    let figures = NAMES.iter().zip(found).map(|(name, found)| {
        json!({ "estimator": name, "mean_nats": found.mean, "deviation_nats": found.deviation })
    });
    json!({
        "q": args.q.to_string(),
        "p": p.to_string(),
        "kl_nats": truth,
        "reverse_kl_nats": reverse,
        "samples": args.samples,
        "seed": args.seed,
        "estimators": figures.collect::<Vec<_>>(),
    })
}

/// `KL(q, p)` in closed form; infinite where `q` has support that `p` has not.
pub(super) fn kl_nats(q: &Family, p: &Family) -> Result<f64> {
    match (q, p) {
        (Family::Gaussian { mean, sd }, Family::Gaussian { mean: m, sd: s }) => {
            let (ratio, shift) = (sd / s, (mean - m) / s);
            Ok(0.5 * (ratio * ratio + shift * shift - 1.0) - ratio.ln())
        }
        (Family::Categorical(q), Family::Categorical(p)) if q.len() == p.len() => {
            let terms = q.iter().zip(p).filter(|(q, _)| **q > 0.0);
            Ok(terms.map(|(q, p)| q * (q / p).ln()).sum())
        }
        _ => bail!("q is {q} and p is {p}; expected two of a kind and size"),
    }
}

/// `log p(z) - log q(z)` for draws `z ~ q`.
fn log_ratios(q: &Family, p: &Family, samples: u32, seed: u64) -> impl Iterator<Item = f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (q, p) = (q.clone(), p.clone());
    (0..samples).map(move |_| match (&q, &p) {
        (Family::Gaussian { mean, sd }, Family::Gaussian { mean: m, sd: s }) => {
            let [t, _] = bbans::normal_pair(&mut rng);
            let u = (mean + sd * t - m) / s;
            0.5 * (t * t - u * u) + (sd / s).ln()
        }
        (Family::Categorical(q), Family::Categorical(p)) => {
            let mut left = (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
            let mut drawn = 0;
            for (symbol, &q) in q.iter().enumerate().filter(|(_, q)| **q > 0.0) {
                drawn = symbol;
                left -= q;
                if left < 0.0 {
                    break;
                }
            }
            (p[drawn] / q[drawn]).ln()
        }
        // Refused before: their KL has no closed form here.
        _ => f64::NAN,
    })
}
