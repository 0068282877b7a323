//! Plots of `bbans compare`: SVG and PNG.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use bbans_twopart::BlockFigures;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

use super::model::Image;

type Points = Vec<(f64, f64)>;

/// A plot: named points, or lines through them.
struct Plot<'a> {
    name: &'a str,
    title: &'a str,
    x: &'a str,
    y: &'a str,
    points: Vec<(String, Points)>,
    lines: Vec<(String, Points)>,
    /// Where no points are.
    legend: SeriesLabelPosition,
}

/// Width and height in pixels.
const SIZE: (u32, u32) = (900, 600);

/// Colours that most readers can tell apart (Okabe & Ito 2008).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
];

impl Plot<'_> {
    fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        // Once a process; a second time it says that it is there already.
        let _ = register_font(
            "sans-serif",
            FontStyle::Normal,
            epaint_default_fonts::UBUNTU_LIGHT,
        );
        let failed = |e| anyhow!("cannot draw {}: {e}", self.name);
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())
            .map_err(failed)?;
        let path = folder.join(format!("{}.svg", self.name));
        fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
        let path = folder.join(format!("{}.png", self.name));
        self.draw(&BitMapBackend::new(&path, SIZE).into_drawing_area())
            .map_err(failed)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn draw<B>(
        &self,
        area: &DrawingArea<B, Shift>,
    ) -> std::result::Result<(), Box<dyn std::error::Error>>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        let all = || {
            let series = self.points.iter().chain(&self.lines);
            series.flat_map(|(_, points)| points.iter().copied())
        };
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(65)
            .build_cartesian_2d(range(all().map(|p| p.0)), range(all().map(|p| p.1)))?;
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .light_line_style(WHITE)
            .draw()?;
        for (i, (name, points)) in self.points.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            let dot = |&point: &(f64, f64)| Circle::new(point, 2, colour.filled());
            chart
                .draw_series(points.iter().map(dot))?
                .label(name.as_str())
                .legend(move |(x, y)| Circle::new((x + 10, y), 3, colour.filled()));
        }
        for (i, (name, points)) in self.lines.iter().enumerate() {
            // Black, and then the others.
            let colour = COLOURS[(COLOURS.len() - 1 + i) % COLOURS.len()];
            chart
                .draw_series(LineSeries::new(
                    points.iter().copied(),
                    colour.stroke_width(2),
                ))?
                .label(name.as_str())
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour));
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK)
            .draw()?;
        area.present()?;
        Ok(())
    }
}

/// A little more than the values; numbers alone.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
    if low > high {
        return 0.0..1.0;
    }
    let margin = 0.04 * (high - low).max(1e-3);
    low - margin..high + margin
}

/// Actual bits, overheads, the chain, and the price of rejection sampling.
pub(super) fn model(folder: &Path, dims: usize, names: &[&str], images: &[Image]) -> Result<()> {
    let of = |i: usize, f: &dyn Fn(&Image, usize) -> (f64, f64)| -> Points {
        images.iter().map(|image| f(image, i)).collect()
    };
    let all = |f: &dyn Fn(&Image, usize) -> (f64, f64)| -> Vec<(String, Points)> {
        let named = names.iter().enumerate();
        named
            .map(|(i, name)| (name.to_string(), of(i, f)))
            .collect()
    };
    let bound = |image: &Image| image.bound.bits();
    let diagonal: Points = {
        let ends = range(images.iter().map(bound));
        vec![(ends.start, ends.start), (ends.end, ends.end)]
    };
    let mut actual = all(&|image, i| (bound(image), image.sent[i].total()));
    actual.truncate(5);
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
    let mut overhead = all(&|image, i| (image.kl, image.sent[i].part_1 - image.kl));
    overhead.truncate(5);
    Plot {
        name: "overhead-against-kl",
        title: "Part 1 over KL",
        x: "KL(q, p), bits",
        y: "bits over KL",
        points: overhead,
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
    let mut lines: Vec<(String, Points)> = names
        .iter()
        .take(5)
        .enumerate()
        .map(|(i, name)| {
            let points = cumulative(&|image: &Image| image.sent[i].total());
            (name.to_string(), points)
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
    let mut candidates =
        all(&|image, i| (image.kl, (image.sent[i].candidates.max(1) as f64).log2()));
    candidates.truncate(5);
    Plot {
        name: "candidates-against-kl",
        title: "Candidates drawn: groups pay exponentially, splits do not",
        x: "KL(q, p) of the whole image, bits",
        y: "log2 of candidates",
        points: candidates,
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
                "bits a draw".to_owned(),
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
