//! What `bbans compare model` prints.

use std::io::Write;
use std::ops::Range;

use anyhow::Result;
use bbans::{FileModel, VaeModel};
use bbans_twopart::estimators::{NAMES, estimate};
use serde_json::{Value, json};

use super::{Image, KL_SAMPLES, Statistics};
use crate::commands::compare::ModelArgs;
use crate::commands::compare::codes::{Information, OfData};

/// Bounds are of what is sent by candidates: shown where no more than this part is beyond the budget.
const MOST_BEYOND: f64 = 0.01;

/// All figures.
pub(super) struct Report<'a> {
    pub(super) args: &'a ModelArgs,
    pub(super) model: &'a VaeModel,
    pub(super) name: &'a str,
    pub(super) dims: usize,
    pub(super) codes: &'a [OfData],
    pub(super) statistics: &'a Statistics<'a>,
    pub(super) images: &'a [Image],
    pub(super) chain_bits: f64,
    /// Names of codes that have nothing for some image.
    pub(super) left_out: &'a [String],
    pub(super) seconds: f64,
}

impl Report<'_> {
    /// Mean over the images.
    fn mean(&self, of: impl Fn(&Image) -> f64) -> f64 {
        self.images.iter().map(of).sum::<f64>() / self.images.len() as f64
    }

    /// Number of images from which on the chain, everything included, is below code `code`.
    fn crossing(&self, code: usize) -> Option<usize> {
        let mut total = 0.0;
        let below = |image: &Image| {
            total += image.sent(code).total();
            image.chain < total
        };
        let below: Vec<bool> = self.images.iter().map(below).collect();
        let last_above = below.iter().rposition(|below| !below);
        let first = last_above.map_or(0, |i| i + 1);
        (first < below.len()).then_some(first + 1)
    }

    /// The part of a code's pieces, over all images, that are beyond the budget, and so are sent directly.
    fn beyond_budget(&self, code: &OfData) -> f64 {
        let pieces = code.code.pieces();
        let beyond = |image: &Image| {
            let ratio = |latents: &Range<usize>| -> f64 {
                image.log2_max_ratio[latents.clone()].iter().sum()
            };
            let all = pieces.iter().map(ratio);
            all.filter(|&ratio| ratio > f64::from(self.args.budget))
                .count() as f64
        };
        self.mean(beyond) / pieces.len().max(1) as f64
    }

    /// The bound on part 1 of a code: the sum of those of its pieces. None where it does not hold, as much is sent directly.
    fn bound_of_part_1(&self, code: &OfData) -> Option<f64> {
        let bound = code.bound?;
        if self.beyond_budget(code) > MOST_BEYOND {
            return None;
        }
        let pieces = code.code.pieces();
        let of_piece = |latents: &Range<usize>| {
            let mean = |of: &dyn Fn(&Image) -> &Vec<f64>| {
                self.mean(|image| of(image)[latents.clone()].iter().sum())
            };
            bound(&Information {
                kl: mean(&|image| &image.kl),
                log2_max_ratio: mean(&|image| &image.log2_max_ratio),
                functional: self.statistics.functional_information(latents),
                exponents: Some(self.args.budget + 1),
            })
        };
        Some(pieces.iter().map(of_piece).sum())
    }

    fn estimators(&self) -> Vec<(&'static str, f64)> {
        let all = self
            .images
            .iter()
            .flat_map(|i| i.log_ratios.iter().copied());
        let found = estimate(all);
        NAMES.iter().zip(found).map(|(n, e)| (*n, e.mean)).collect()
    }

    pub(super) fn print(&self, out: &mut impl Write) -> Result<()> {
        let bound = self.mean(|i| i.bound.bits());
        let row = |out: &mut dyn Write, name: &str, bits: f64, rest: String| {
            writeln!(
                out,
                "{name:<46} {bits:>9.2} {:>9.5} {:>+8.2}%{rest}",
                bits / self.dims as f64,
                100.0 * (bits / bound - 1.0)
            )
        };
        writeln!(out, "model  {}", self.model.name())?;
        writeln!(out, "data   {}: {} images\n", self.name, self.images.len())?;
        writeln!(
            out,
            "{:<46} {:>9} {:>9} {:>9}",
            "bits an image", "bits", "bits/dim", "over it"
        )?;
        let kl = self.mean(|i| i.bound.kl_bits);
        let samples = self.args.samples;
        row(
            out,
            "variational upper bound",
            bound,
            format!(
                "  KL {kl:.2} + reconstruction {:.2} ({samples} samples)",
                bound - kl
            ),
        )?;
        row(out, "bits-back, net", self.mean(|i| i.net), String::new())?;
        row(
            out,
            "bits-back, all in one chain, gross",
            self.chain_bits / self.images.len() as f64,
            String::new(),
        )?;
        row(
            out,
            "bits-back, every image alone, gross",
            self.mean(|i| i.alone),
            String::new(),
        )?;
        for (i, code) in self.codes.iter().enumerate() {
            let bound = match (self.bound_of_part_1(code), code.bound) {
                (Some(bound), _) => format!(" (at most {bound:.2})"),
                (None, Some(_)) => {
                    let beyond = 100.0 * self.beyond_budget(code);
                    format!(" ({beyond:.1}% beyond the budget, sent directly)")
                }
                (None, None) => String::new(),
            };
            let rest = format!(
                "  part 1 {:.2}{bound}, part 2 {:.2}; {:.0} candidates, {:.2} ms an image{}",
                self.mean(|image| image.sent(i).part_1),
                self.mean(|image| image.sent(i).part_2),
                self.mean(|image| image.sent(i).candidates as f64),
                1e3 * self.mean(|image| image.sent(i).seconds),
                match self.crossing(i) {
                    Some(n) => format!("; the chain is shorter from {n} images on"),
                    None => "; the chain is not shorter".to_owned(),
                }
            );
            row(
                out,
                &code.name,
                self.mean(|image| image.sent(i).total()),
                rest,
            )?;
        }
        writeln!(
            out,
            "\nKL over the bins {:.2} bits, log2 max(q/p) {:.2} bits an image, all latents together",
            self.mean(Image::kl_bits),
            self.mean(|i| i.log2_max_ratio.iter().sum())
        )?;
        let nats = self.mean(Image::kl_bits) * std::f64::consts::LN_2;
        let estimators = self.estimators();
        writeln!(
            out,
            "estimators of KL from {KL_SAMPLES} samples of whole z an image: closed form {nats:.2} nats, \
             k1 {:.2}, k3 {:.2}",
            estimators[0].1, estimators[2].1
        )?;
        writeln!(
            out,
            "part 1 in {} groups of latents (budget 2^{}), fixed by samples of the model; seed {}",
            self.statistics.groups.len(),
            self.args.budget,
            self.args.seed
        )?;
        if !self.left_out.is_empty() {
            writeln!(
                out,
                "left out, with nothing for some of the images: {}",
                self.left_out.join(", ")
            )?;
        }
        writeln!(
            out,
            "every message was decoded and compared; {:.1} s on {} threads",
            self.seconds,
            self.args.threads.get()
        )?;
        Ok(())
    }

    pub(super) fn to_json(&self) -> Value {
        let codes = self.codes.iter().enumerate().map(|(i, code)| {
            json!({
                "code": code.name,
                "part_1_bits": self.mean(|image| image.sent(i).part_1),
                "part_1_bound_bits": self.bound_of_part_1(code),
                "part_2_bits": self.mean(|image| image.sent(i).part_2),
                "total_bits": self.mean(|image| image.sent(i).total()),
                "candidates": self.mean(|image| image.sent(i).candidates as f64),
                "seconds": self.mean(|image| image.sent(i).seconds),
                "chain_below_from": self.crossing(i),
            })
        });
        let codes: Vec<Value> = codes.collect();
        let estimators: serde_json::Map<String, Value> = self
            .estimators()
            .into_iter()
            .map(|(name, mean)| (name.to_owned(), json!(mean)))
            .collect();
        json!({
            "model": self.model.name(),
            "data": self.name,
            "count": self.images.len(),
            "dims": self.dims,
            "budget_bits": self.args.budget,
            "seed": self.args.seed,
            "bound_kl_bits": self.mean(|i| i.bound.kl_bits),
            "bound_reconstruction_bits": self.mean(|i| i.bound.reconstruction_bits),
            "kl_bits": self.mean(Image::kl_bits),
            "log2_max_ratio": self.mean(|i| i.log2_max_ratio.iter().sum()),
            "kl_estimators_nats": estimators,
            "bits_back_net_bits": self.mean(|i| i.net),
            "bits_back_chain_bits": self.chain_bits / self.images.len() as f64,
            "bits_back_alone_bits": self.mean(|i| i.alone),
            "two_part": codes,
            "left_out": self.left_out,
            "groups": self.statistics.groups.len(),
            "decoded_and_compared": true,
            "seconds": self.seconds,
        })
    }
}
