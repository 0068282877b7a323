//! The coder held against models whose true code length is known.

use std::io::Write;

use anyhow::{Result, bail};
use bbans::synthetic::{LinearGaussian, Mixture};
use bbans::{LatentModel, block};
use ndarray::{Array2, ArrayView1, Axis, Slice};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::Args;
use crate::support::notebook::Notebook;
use crate::support::terminal::stdout;

/// Data of each model.
const COUNT: usize = 20_000;
/// Data of a block.
const BLOCK: usize = 5_000;
/// Net bits may be off the truth by this part: integer masses and the grid of the latents.
const TOLERANCE: f64 = 0.001;

/// What one model gave, in bits of a datum.
struct Row {
    model: &'static str,
    truth: f64,
    net: f64,
    gross: f64,
}

impl Row {
    fn off(&self) -> f64 {
        self.net / self.truth - 1.0
    }
}

pub(super) fn run(args: &Args, notebook: Option<&Notebook>) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
    let ones = Array2::from_shape_fn((16, 64), |_| (rng.next_u32() >> 8).max(1));
    let mixture = Mixture::new(&[1.0; 16], ones)?;
    let gaussian = LinearGaussian::new(&[1.0, -0.5, 2.0, 0.25])?;
    let lanes = usize::from(args.coding.lanes);
    let rows = [
        {
            let data = mixture.draw(&mut rng, COUNT);
            measure(
                "mixture of 16 products of 64 Bernoullis",
                &mixture,
                &data,
                lanes,
                |x| mixture.bits(x),
            )?
        },
        {
            let data = gaussian.draw(&mut rng, COUNT);
            measure(
                "linear Gaussian, step sigma/32",
                &gaussian,
                &data,
                lanes,
                |x| gaussian.bits(x),
            )?
        },
    ];
    let document: Value = rows
        .iter()
        .map(|r| {
            json!({
                "model": r.model,
                "count": COUNT,
                "true_bits": r.truth,
                "net_bits": r.net,
                "gross_bits": r.gross,
                "net_over_truth": 1.0 + r.off(),
            })
        })
        .collect();
    let document = json!({"truth": document, "lanes": lanes, "seed": args.seed});
    if let Some(notebook) = notebook {
        notebook.append("truth", document.clone())?;
    }
    let mut out = stdout()?.lock();
    if args.json {
        writeln!(out, "{document:#}")?;
    } else {
        writeln!(
            out,
            "{:<42} {:>10} {:>10} {:>10}  net over truth",
            "bits a datum, decoded and compared", "truth", "net", "gross"
        )?;
        for r in &rows {
            writeln!(
                out,
                "{:<42} {:>10.4} {:>10.4} {:>10.4}  {:+.4}%",
                r.model,
                r.truth,
                r.net,
                r.gross,
                100.0 * r.off()
            )?;
        }
    }
    match rows.iter().find(|r| r.off().abs() > TOLERANCE) {
        Some(r) => bail!(
            "{}: net bits are {:+.3}% off the truth; expected at most {}%",
            r.model,
            100.0 * r.off(),
            100.0 * TOLERANCE
        ),
        None => Ok(()),
    }
}

fn measure<M: LatentModel>(
    name: &'static str,
    model: &M,
    data: &Array2<M::X>,
    lanes: usize,
    bits: impl Fn(ArrayView1<'_, M::X>) -> f64,
) -> Result<Row>
where
    M::X: PartialEq,
{
    let (mut net, mut words) = (0.0, 0);
    for first in (0..data.nrows()).step_by(BLOCK) {
        let last = data.nrows().min(first + BLOCK);
        let rows = data.slice_axis(Axis(0), Slice::from(first..last));
        let coded = block::encode(model, rows, lanes)?;
        net += coded.net_bits;
        words += coded.words.len();
        if block::decode(model, coded.plan, coded.words)? != rows {
            bail!("{name} does not decode; this is a bug, please report it");
        }
    }
    let count = data.nrows() as f64;
    Ok(Row {
        model: name,
        truth: data.rows().into_iter().map(bits).sum::<f64>() / count,
        net: net / count,
        gross: 32.0 * words as f64 / count,
    })
}
