//! A folder with a page, plots and pictures.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use plotters::prelude::SeriesLabelPosition;
use serde_json::Value;

use super::{Bench, ranking, table};
use crate::support::picture::Picture;
use crate::support::plot::{Bars, Plot, Points};
use crate::support::rows::DataSet;

/// Bars of a histogram.
const BINS: usize = 60;
/// Pictures of each kind.
const PICTURES: usize = 36;

/// Writes `index.html`, `figures.json`, plots and pictures to `path`.
///
/// # Errors
/// If they cannot be written.
pub(in super::super) fn write(path: &Path, bench: &Bench<'_>, document: &Value) -> Result<()> {
    let mut plots = vec![("bits-per-dim", "Bits per dimension of each file")];
    Bars {
        name: "bits-per-dim",
        title: plots[0].1,
        x: "bits/dim, the whole file",
        bars: ranking(bench)
            .into_iter()
            .map(|r| (r.name, bench.bits_per_dim(r.bytes), r.model.is_some()))
            .collect(),
    }
    .write(path)?;
    let dims = bench.data.data.dims() as f64;
    let lines = |of: &dyn Fn(&[f64]) -> Points| -> Vec<(String, Points)> {
        let models = bench.models.iter();
        models.map(|m| (m.name.clone(), of(&m.per_datum))).collect()
    };
    plots.push(("cumulative", "Net rate along the data set"));
    Plot {
        name: "cumulative",
        title: "Net rate along the data set",
        x: "data so far",
        y: "bits/dim of all so far",
        points: vec![],
        lines: lines(&|bits| {
            let mut total = 0.0;
            let step = (bits.len() / 2000).max(1);
            let points = bits.iter().enumerate().map(|(i, b)| {
                total += b;
                ((i + 1) as f64, total / ((i + 1) as f64 * dims))
            });
            points.step_by(step).collect()
        }),
        legend: SeriesLabelPosition::UpperRight,
    }
    .write(path)?;
    plots.push(("histogram", "Net bits of a datum"));
    Plot {
        name: "histogram",
        title: "Net bits of a datum",
        x: "bits",
        y: "data",
        points: vec![],
        lines: lines(&histogram),
        legend: SeriesLabelPosition::UpperRight,
    }
    .write(path)?;
    let mut pictures = Vec::new();
    // Grey, with alpha, or in colour.
    if matches!(bench.data.data.shape[..], [_, _] | [_, _, 1..=4]) {
        for (i, m) in bench.models.iter().enumerate() {
            for (what, dearest) in [("least", false), ("most", true)] {
                let name = format!("{what}-expensive-{}.png", i + 1);
                extremes(&path.join(&name), &bench.data.data, &m.per_datum, dearest)?;
                pictures.push((name, format!("The {what} expensive data for {}", m.name)));
            }
        }
    }
    let put = |name: &str, text: String| {
        fs::write(path.join(name), text)
            .with_context(|| format!("cannot write {}", path.join(name).display()))
    };
    put("figures.json", format!("{document:#}\n"))?;
    put("index.html", page(path, bench, &plots, &pictures)?)
}

/// Steps through the counts of equal intervals.
fn histogram(bits: &[f64]) -> Points {
    let (low, high) = bits
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &b| {
            (low.min(b), high.max(b))
        });
    let width = (high - low).max(1e-9) / BINS as f64;
    let mut counts = [0.0; BINS];
    for &b in bits {
        counts[(((b - low) / width) as usize).min(BINS - 1)] += 1.0;
    }
    let steps = counts.iter().enumerate().flat_map(|(i, &count)| {
        let from = low + i as f64 * width;
        [(from, count), (from + width, count)]
    });
    steps.collect()
}

/// The data of the fewest or the most bits, side by side.
fn extremes(path: &Path, data: &DataSet, bits: &[f64], dearest: bool) -> Result<()> {
    let mut order: Vec<usize> = (0..bits.len()).collect();
    order.sort_by(|&a, &b| bits[a].total_cmp(&bits[b]));
    if dearest {
        order.reverse();
    }
    let dims = data.dims();
    let chosen = DataSet {
        shape: data.shape.clone(),
        symbols: order
            .iter()
            .take(PICTURES)
            .flat_map(|&i| &data.symbols[i * dims..(i + 1) * dims])
            .copied()
            .collect(),
        ..DataSet::default()
    };
    let white = data.symbols.iter().fold(1, |m, &v| v.max(m));
    let file = Picture::tiled(&chosen, white)?.to_png()?;
    fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))
}

fn page(
    path: &Path,
    bench: &Bench<'_>,
    plots: &[(&str, &str)],
    pictures: &[(String, String)],
) -> Result<String> {
    let mut text = Vec::new();
    table::print(&mut text, bench)?;
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>bbans bench</title>\n\
         <style>body { font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em } \
         pre { overflow-x: auto; background: #f4f4f4; padding: 1em } svg, img { max-width: 100%; \
         height: auto } img { image-rendering: pixelated; width: 24em }</style>\n\
         <h1>bbans bench</h1>\n",
    );
    page += &format!("<pre>{}</pre>\n", escaped(&String::from_utf8_lossy(&text)));
    for (name, title) in plots {
        let svg = fs::read_to_string(path.join(format!("{name}.svg")))?;
        page += &format!("<h2>{}</h2>\n{svg}\n", escaped(title));
    }
    for (name, title) in pictures {
        let title = escaped(title);
        page += &format!("<h2>{title}</h2>\n<img src=\"{name}\" alt=\"{title}\">\n");
    }
    page += "<p>All figures: <a href=\"figures.json\">figures.json</a></p>\n</html>\n";
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
