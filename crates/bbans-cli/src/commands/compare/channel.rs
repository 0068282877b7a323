//! `bbans compare channel`, and one latent of a channel by every code.

use std::io::Write;

use anyhow::{Result, bail};
use bbans_twopart::{Pair, Shared, check_empty, empty_message, functional_information};
use serde_json::{Value, json};

use super::ChannelArgs;
use super::codes::{ALL, BoxedCode, Entry, Information};
use super::family::Family;
use crate::support::terminal::stdout;

/// Most symbols of a channel: its rows are quadratic in them.
const MOST_SYMBOLS: usize = 1 << 10;

/// The rows of a channel, all data as likely, and what both sides know of it.
pub(super) struct Channel {
    /// Of each datum what is sent, and the prior, which is the same for all.
    pub(super) rows: Vec<Pair>,
}

impl Channel {
    /// `y = (x + noise) mod n` over `n` symbols, all of them equally likely.
    fn additive(noise: &[f64]) -> Result<Self> {
        let count = noise.len();
        let p = bbans_twopart::masses(&vec![1.0 / count as f64; count])?;
        let row = |x: usize| -> Result<Pair> {
            let q: Vec<f64> = (0..count).map(|y| noise[(y + count - x) % count]).collect();
            Ok(Pair::new(&bbans_twopart::masses(&q)?, &p)?)
        };
        let rows = (0..count).map(row).collect::<Result<_>>()?;
        Ok(Self { rows })
    }

    pub(super) fn symbols(&self) -> usize {
        self.rows[0].probabilities().len()
    }

    fn mean(&self, of: impl Fn(&Pair) -> f64) -> f64 {
        self.rows.iter().map(of).sum::<f64>() / self.rows.len() as f64
    }

    /// `KL(q, p)` on average: where p is what the rows average to, the mutual information.
    pub(super) fn kl_bits(&self) -> f64 {
        self.mean(Pair::kl_bits)
    }

    /// `log2 max(q/p)` of all data.
    pub(super) fn log2_max_ratio(&self) -> f64 {
        let all = self.rows.iter().map(Pair::log2_max_ratio);
        all.fold(0.0, f64::max)
    }

    fn information(&self) -> Information {
        let ratios: Vec<_> = self.rows.iter().map(Pair::ratios).collect();
        Information {
            kl: self.kl_bits(),
            log2_max_ratio: self.log2_max_ratio(),
            functional: functional_information(&ratios, self.rows[0].prior_probabilities()),
            exponents: None,
        }
    }
}

/// What a code gave over its messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) messages: u32,
    /// Bits of part 1: mean and standard error.
    pub(super) bits: f64,
    pub(super) error: f64,
    pub(super) candidates: f64,
}

/// How many messages are sent, and of which randomness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Messages {
    pub(super) most: u32,
    pub(super) seed: u64,
}

/// A code, its bound, and what it gave.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) bound: Option<f64>,
    pub(super) measured: Option<Measured>,
}

/// Every code on one draw of a channel.
pub(super) fn measure_all(channel: &Channel, budget: u32, messages: Messages) -> Result<Vec<Row>> {
    let information = channel.information();
    let mut rows = Vec::new();
    for &Entry {
        name,
        bound,
        single,
        ..
    } in ALL.iter().copied()
    {
        let Some(single) = single else { continue };
        let row = match single(channel, budget)? {
            None => Row {
                name,
                bound: None,
                measured: None,
            },
            Some(code) => {
                let of_datum = |number: u64| &channel.rows[number as usize % channel.rows.len()];
                let one = |number| std::slice::from_ref(of_datum(number));
                // Some codes look at every symbol for each candidate.
                let steps = channel.log2_max_ratio() + (channel.symbols() as f64 / 2.0).log2();
                Row {
                    name,
                    bound: bound.map(|bound| bound(&information)),
                    measured: measure(&code, &one, steps, messages)?,
                }
            }
        };
        rows.push(row);
    }
    Ok(rows)
}

/// Sends messages, the latents of each by its number, and decodes and compares them; as many as 2^26 steps allow. `None`
/// if one is beyond the code. All have the same prior.
pub(super) fn measure<'a>(
    code: &BoxedCode,
    latents: &dyn Fn(u64) -> &'a [Pair],
    log2_steps: f64,
    messages: Messages,
) -> Result<Option<Measured>> {
    let affordable = (26.0 - log2_steps).exp2().clamp(10.0, 1e9) as u32;
    let count = messages.most.min(affordable);
    let (mut sum, mut squares, mut candidates) = (0.0, 0.0, 0);
    let priors = latents(0).iter().map(|pair| pair.prior().clone());
    let prior: Vec<_> = priors.collect();
    for number in 0..u64::from(count) {
        let latents = latents(number);
        let shared = || Shared::new(messages.seed, number, 0);
        let Some(chosen) = code.choose_any(latents, shared())? else {
            return Ok(None);
        };
        let mut message = empty_message()?;
        chosen.push(&mut message)?;
        let bits = bbans_twopart::message_bits(&message);
        sum += bits;
        squares += bits * bits;
        candidates += chosen.candidates;
        let z = code.receive_any(&mut message, &prior, shared())?;
        check_empty(&message)?;
        if z != chosen.z {
            bail!("message {number} does not decode; this is a bug, please report it");
        }
    }
    let messages = f64::from(count);
    let mean = sum / messages;
    Ok(Some(Measured {
        messages: count,
        bits: mean,
        error: ((squares / messages - mean * mean).max(0.0) / messages).sqrt(),
        candidates: candidates as f64 / messages,
    }))
}

pub(super) fn print_rows(out: &mut impl Write, what: &str, rows: &[Row]) -> Result<()> {
    writeln!(
        out,
        "{what}: bits of part 1, every message decoded, the code's bound, candidates drawn"
    )?;
    for row in rows {
        let bound = row.bound.map_or(String::new(), |b| format!("{b:.4}"));
        match row.measured {
            Some(m) => writeln!(
                out,
                "  {:<38} {:>9.4} +- {:.4} {bound:>10} {:>12.2}",
                row.name, m.bits, m.error, m.candidates
            )?,
            None => writeln!(
                out,
                "  {:<38} not applicable: over the budget, or made for other distributions",
                row.name
            )?,
        }
    }
    Ok(())
}

pub(super) fn to_json(measured: &Option<Measured>) -> Value {
    measured
        .map(|m| {
            json!({ "messages": m.messages, "bits": m.bits, "standard_error": m.error,
                    "candidates": m.candidates, "decoded_and_compared": true })
        })
        .into()
}

pub(super) fn rows_to_json(rows: &[Row]) -> Value {
    let row = |row: &Row| json!({ "code": row.name, "bound_bits": row.bound, "measured": to_json(&row.measured) });
    rows.iter().map(row).collect()
}

pub(super) fn run(args: &ChannelArgs) -> Result<()> {
    let Family::Categorical(noise) = &args.noise else {
        bail!(
            "noise {}; expected B(p) or C(p, p, ...): the symbols are numbers from 0 on",
            args.noise
        );
    };
    if noise.len() > MOST_SYMBOLS {
        bail!(
            "noise of {} symbols; expected at most {MOST_SYMBOLS}",
            noise.len()
        );
    }
    let channel = Channel::additive(noise)?;
    let messages = Messages {
        most: args.messages,
        seed: args.seed,
    };
    let rows = measure_all(&channel, args.budget, messages)?;
    let Information { kl, functional, .. } = channel.information();
    // Rounding apart, none is below 0.
    let (mutual, functional) = (kl.max(0.0), functional.max(0.0));
    let mut out = stdout()?.lock();
    if args.json {
        let document = json!({
            "noise": args.noise.to_string(),
            "symbols": channel.symbols(),
            "mutual_information_bits": mutual,
            "functional_information_bits": functional,
            "log2_max_ratio": channel.log2_max_ratio(),
            "seed": args.seed,
            "codes": rows_to_json(&rows),
        });
        return Ok(writeln!(out, "{document:#}")?);
    }
    writeln!(
        out,
        "x uniform over 0 .. {}, y = (x + {}) mod {}: mutual information {:.4} bits, functional information {:.4} bits{}\n",
        channel.symbols() - 1,
        args.noise,
        channel.symbols(),
        mutual,
        functional,
        if functional - mutual < 1e-4 {
            " (singular)"
        } else {
            ""
        }
    )?;
    print_rows(&mut out, "one y a message", &rows)
}
