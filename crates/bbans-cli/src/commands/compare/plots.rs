//! Plots of `bbans compare`.

use std::path::Path;

use anyhow::Result;
use bbans_twopart::BlockFigures;
use plotters::prelude::SeriesLabelPosition;

use super::codes::OfData;
use super::model::Image;
use crate::support::plot::{Plot, Points, range};

/// Actual bits, overheads, the chain, and the price of rejection sampling; of the codes that plots have.
pub(super) fn model(folder: &Path, dims: usize, codes: &[OfData], images: &[Image]) -> Result<()> {
    let plotted = || codes.iter().enumerate().filter(|(_, code)| code.plotted);
    let of = |i: usize, f: &dyn Fn(&Image, usize) -> (f64, f64)| -> Points {
        images.iter().map(|image| f(image, i)).collect()
    };
    let all = |f: &dyn Fn(&Image, usize) -> (f64, f64)| -> Vec<(String, Points)> {
        plotted()
            .map(|(i, code)| (code.name.clone(), of(i, f)))
            .collect()
    };
    let bound = |image: &Image| image.bound.bits();
    let diagonal: Points = {
        let ends = range(images.iter().map(bound));
        vec![(ends.start, ends.start), (ends.end, ends.end)]
    };
    let mut actual = all(&|image, i| (bound(image), image.sent(i).total()));
    actual.insert(
        0,
        (
            "bits-back, net".to_owned(),
            images
                .iter()
                .map(|image| (bound(image), image.net))
                .collect(),
        ),
    );
    Plot {
        name: "actual-against-bound",
        title: "Actual bits of an image against its bound",
        x: "variational upper bound, bits",
        y: "bits",
        points: actual,
        lines: vec![("the bound".to_owned(), diagonal)],
        legend: SeriesLabelPosition::UpperLeft,
    }
    .write(folder)?;
    // A code of no draws is not about KL, nor about candidates.
    let drawing = |points: Vec<(String, Points)>| -> Vec<(String, Points)> {
        let draws = |i: usize| images.iter().any(|image| image.sent(i).candidates > 0);
        let draws: Vec<bool> = plotted().map(|(i, _)| draws(i)).collect();
        let of_draws = points.into_iter().zip(draws).filter(|(_, draws)| *draws);
        of_draws.map(|(points, _)| points).collect()
    };
    let overhead = all(&|image, i| {
        let kl = image.kl_bits();
        (kl, image.sent(i).part_1 - kl)
    });
    Plot {
        name: "overhead-against-kl",
        title: "Part 1 over KL",
        x: "KL(q, p), bits",
        y: "bits over KL",
        points: drawing(overhead),
        lines: vec![],
        legend: SeriesLabelPosition::UpperLeft,
    }
    .write(folder)?;
    let cumulative = |bits: &dyn Fn(&Image) -> f64| -> Points {
        let mut total = 0.0;
        images
            .iter()
            .enumerate()
            .map(|(n, image)| {
                total += bits(image);
                let count = (n + 1) as f64;
                (count.log10(), total / (count * dims as f64))
            })
            .collect()
    };
    let mut lines: Vec<(String, Points)> = plotted()
        .map(|(i, code)| {
            let points = cumulative(&|image: &Image| image.sent(i).total());
            (code.name.clone(), points)
        })
        .collect();
    let chain: Points = images
        .iter()
        .enumerate()
        .map(|(n, image)| {
            let count = (n + 1) as f64;
            (count.log10(), image.chain / (count * dims as f64))
        })
        .collect();
    lines.insert(0, ("bits-back, one chain, gross".to_owned(), chain));
    lines.push(("the bound".to_owned(), cumulative(&bound)));
    Plot {
        name: "cumulative",
        title: "A chain pays its initial bits once",
        x: "log10 of the number of images",
        y: "bits/dim of all so far",
        points: vec![],
        lines,
        legend: SeriesLabelPosition::UpperRight,
    }
    .write(folder)?;
    let candidates = all(&|image, i| {
        let drawn = image.sent(i).candidates.max(1) as f64;
        (image.kl_bits(), drawn.log2())
    });
    Plot {
        name: "candidates-against-kl",
        title: "Candidates drawn: groups pay exponentially, splits do not",
        x: "KL(q, p) of the whole image, bits",
        y: "log2 of candidates",
        points: drawing(candidates),
        lines: vec![],
        legend: SeriesLabelPosition::UpperLeft,
    }
    .write(folder)
}

/// Bits a draw, total variation and candidates by the length of a block.
pub(super) fn toy(folder: &Path, kl_bits: f64, figures: &[BlockFigures]) -> Result<()> {
    let points = |y: &dyn Fn(&BlockFigures) -> f64| -> Points {
        figures
            .iter()
            .map(|f| ((f.n as f64).log10(), y(f)))
            .collect()
    };
    Plot {
        name: "blocks",
        title: "Blocks of n draws: bits fall to KL, and the bias stays small",
        x: "log10 n",
        y: "bits a draw; total variation",
        points: vec![],
        lines: vec![
            (
                "bits a draw, at most".to_owned(),
                points(&BlockFigures::bits_per_draw),
            ),
            ("KL".to_owned(), points(&|_| kl_bits)),
            ("total variation".to_owned(), points(&|f| f.total_variation)),
        ],
        legend: SeriesLabelPosition::UpperRight,
    }
    .write(folder)?;
    Plot {
        name: "price",
        title: "The price: candidates of a message",
        x: "log10 n",
        y: "log2 of log2 of candidates",
        points: vec![],
        lines: vec![(
            "candidates".to_owned(),
            points(&|f| f.log2_candidates.max(1.0).log2()),
        )],
        legend: SeriesLabelPosition::UpperLeft,
    }
    .write(folder)
}
