//! Plots: SVG and PNG.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;

pub(crate) type Points = Vec<(f64, f64)>;

/// A plot: named points, or lines through them.
pub(crate) struct Plot<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    pub(crate) points: Vec<(String, Points)>,
    pub(crate) lines: Vec<(String, Points)>,
    /// Where no points are.
    pub(crate) legend: SeriesLabelPosition,
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
    /// Writes `NAME.svg` and `NAME.png` to a folder, which is made if need be.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write(folder, self.name, SIZE, &Drawing::Plot(self))
    }

    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Drawn
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
pub(crate) fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
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

/// Bars from 0, each with its name, from the top on.
pub(crate) struct Bars<'a> {
    /// The files' name.
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    /// Name, length, and whether it stands out.
    pub(crate) bars: Vec<(String, f64, bool)>,
}

impl Bars<'_> {
    /// As [`Plot::write`].
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let size = (SIZE.0, 120 + 32 * self.bars.len() as u32);
        write(folder, self.name, size, &Drawing::Bars(self))
    }

    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        let count = self.bars.len().max(1);
        let longest = self.bars.iter().fold(0.0, |m: f64, b| m.max(b.1)).max(1e-9);
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(45)
            .y_label_area_size(330)
            .build_cartesian_2d(0.0..1.12 * longest, (0..count - 1).into_segmented())?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(i) => {
                let bar = self.bars.get(count - 1 - i);
                bar.map_or(String::new(), |b| b.0.clone())
            }
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_labels(count)
            .y_label_formatter(&name)
            .disable_y_mesh()
            .light_line_style(WHITE)
            .draw()?;
        for (i, (_, length, special)) in self.bars.iter().rev().enumerate() {
            let colour = if *special { COLOURS[0] } else { COLOURS[6] };
            let (from, to) = (SegmentValue::Exact(i), SegmentValue::Exact(i + 1));
            let mut bar = Rectangle::new([(0.0, from), (*length, to)], colour.filled());
            bar.set_margin(5, 5, 0, 0);
            chart.draw_series(std::iter::once(bar))?;
            let label = Text::new(
                format!(" {length:.4}"),
                (*length, SegmentValue::CenterOf(i)),
                ("sans-serif", 14),
            );
            chart.draw_series(std::iter::once(label))?;
        }
        area.present()?;
        Ok(())
    }
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;

enum Drawing<'a> {
    Plot(&'a Plot<'a>),
    Bars(&'a Bars<'a>),
}

impl Drawing<'_> {
    fn draw<B>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        match self {
            Self::Plot(plot) => plot.draw(area),
            Self::Bars(bars) => bars.draw(area),
        }
    }
}

fn write(folder: &Path, name: &str, size: (u32, u32), drawing: &Drawing<'_>) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // Once a process; a second time it says that it is there already.
    let _ = register_font(
        "sans-serif",
        FontStyle::Normal,
        epaint_default_fonts::UBUNTU_LIGHT,
    );
    let failed = |e| anyhow!("cannot draw {name}: {e}");
    let mut svg = String::new();
    drawing
        .draw(&SVGBackend::with_string(&mut svg, size).into_drawing_area())
        .map_err(failed)?;
    let path = folder.join(format!("{name}.svg"));
    fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    let path = folder.join(format!("{name}.png"));
    drawing
        .draw(&BitMapBackend::new(&path, size).into_drawing_area())
        .map_err(failed)
        .with_context(|| format!("cannot write {}", path.display()))
}
