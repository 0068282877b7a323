//! `bbans compare channel`, and one latent of a channel by every code.

use std::io::Write;

use anyhow::{Result, bail};
use bbans_twopart::{Pair, Shared, channel_simulation_divergence, check_empty, empty_message};
use serde_json::{Value, json};

use super::ChannelArgs;
use super::codes::{ALL, Entry, Information, Part1};
use super::family::Family;
use crate::support::terminal::stdout;

/// The rows of a channel, all data as likely, and what both sides know of it.
pub(super) struct Channel {
    /// Of each datum what is sent, and the prior, which is the same for all.
    pub(super) rows: Vec<Pair>,
}

impl Channel {
    /// `y = x + noise` modulo the number of symbols, all of them equally likely.
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

    /// The functional information from data to symbols.
    fn functional_information(&self) -> f64 {
        let weight = 1.0 / self.rows.len() as f64;
        let of_symbol = |y: usize| {
            let p = self.rows[0].prior_probabilities()[y];
            let given = self.rows.iter().map(|row| (row.ratio(y as u32), weight));
            p * channel_simulation_divergence(given)
        };
        (0..self.symbols()).map(of_symbol).sum()
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
    let information = Information {
        kl: channel.kl_bits(),
        log2_max_ratio: channel.log2_max_ratio(),
        functional: &|| channel.functional_information(),
        exponents: None,
    };
    let mut rows = Vec::new();
    for &Entry {
        name,
        bound,
        single,
        ..
    } in ALL.iter().copied()
    {
        let Some(single) = single else { continue };
        let measured = match single(channel, budget)? {
            None => None,
            Some(code) => {
                let of_datum = |number: u64| &channel.rows[number as usize % channel.rows.len()];
                let draws = channel.log2_max_ratio();
                let one = |number| std::slice::from_ref(of_datum(number));
                measure(&code, &one, draws, messages)?
            }
        };
        rows.push(Row {
            name,
            bound: bound.map(|bound| bound(&information)),
            measured,
        });
    }
    Ok(rows)
}

/// Sends messages, the latents of each by its number, and decodes and compares them; as many as 2^26 draws allow. `None`
/// if one is beyond the code.
pub(super) fn measure<'a>(
    code: &Part1,
    latents: &dyn Fn(u64) -> &'a [Pair],
    log2_draws: f64,
    messages: Messages,
) -> Result<Option<Measured>> {
    let affordable = (26.0 - log2_draws).exp2().clamp(10.0, 1e9) as u32;
    let count = messages.most.min(affordable);
    let (mut sum, mut squares, mut candidates) = (0.0, 0.0, 0);
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
        let prior: Vec<_> = latents.iter().map(|pair| pair.prior().clone()).collect();
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

pub(super) fn print_rows(out: &mut impl Write, rows: &[Row]) -> Result<()> {
    for row in rows {
        let bound = row.bound.map_or(String::new(), |b| format!("{b:.4}"));
        match row.measured {
            Some(m) => writeln!(
                out,
                "  {:<38} {:>9.4} +- {:.4} {bound:>10} {:>12.2} candidates",
                row.name, m.bits, m.error, m.candidates
            )?,
            None => writeln!(out, "  {:<38} not applicable", row.name)?,
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
            "noise {}; expected B(p) or C(w, w, ...): the symbols are numbers from 0 on",
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
    let (mutual, functional) = (channel.kl_bits(), channel.functional_information());
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
        "x uniform over {} symbols, y = x + {}: mutual information {:.4} bits, functional information {:.4} bits{}\n",
        channel.symbols(),
        args.noise,
        mutual.max(0.0),
        functional.max(0.0),
        if functional - mutual < 1e-4 {
            " (singular)"
        } else {
            ""
        }
    )?;
    writeln!(
        out,
        "one y a message: bits of part 1, every message decoded; the code's bound"
    )?;
    print_rows(&mut out, &rows)
}

/// Rows of channels are quadratic in their symbols.
const MOST_SYMBOLS: usize = 1 << 10;
