//! The work of `bbans sample`.

use std::io::Write;

use anyhow::{Result, bail};
use bbans::data::Element;
use bbans::nn::description::{Step, Values};
use bbans::{FileModel, Rows, Source, VaeModel};

use super::Args;
use crate::support::files::{Output, Protected, check_free};
use crate::support::picture::Picture;
use crate::support::rows::DataSet;
use crate::support::{memory, models};

/// Data drawn at a time.
const LANES: usize = 100;

pub(crate) fn run(args: &Args) -> Result<()> {
    let protected = Protected::inputs(&args.model);
    check_free(&args.output, args.force, &protected)?;
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    if model.levels() > 2 && args.output.extension().is_some_and(|e| e == "amat") {
        bail!(
            "samples of {} are grey, .amat holds 0 and 1; write .idx or .png",
            model.name()
        );
    }
    let extension = args.output.extension().and_then(|e| e.to_str());
    let known = ["npy", "idx", "amat", "png", "csv"];
    if let Some(other) = extension.filter(|e| !known.contains(e)) {
        bail!(
            "{}: samples are not written as .{other}; expected .npy, .idx, .amat, .png, or .csv of a model of tables",
            args.output.display()
        );
    }
    let plain = model.values() == Values::default() && model.levels() <= 256;
    if !plain && extension.is_none_or(|e| e == "idx" || e == "amat") {
        bail!(
            "samples of {} are other numbers than bytes; write {}",
            model.name(),
            match model.values() {
                Values::Columns(_) => ".csv",
                _ => ".npy or .png",
            }
        );
    }
    let count = args.count as usize;
    let mut symbols = Vec::new();
    for (step, start) in (0..count).step_by(LANES).enumerate() {
        let lanes = LANES.min(count - start);
        symbols.extend(
            bbans::sample(&model, lanes, args.seed, step as u64)?
                .iter()
                .copied(),
        );
    }
    let data = DataSet {
        shape: model.shape().to_vec(),
        symbols,
        ..DataSet::default()
    };
    let mut out = Output::create(&args.output, args.force, &protected, None)?;
    let values = model.values();
    let tables = matches!(values, Values::Columns(_));
    if tables != (extension == Some("csv")) {
        bail!(
            "samples of {} are {}; write {}",
            model.name(),
            if tables {
                "lines of a table"
            } else {
                "numbers"
            },
            if tables {
                ".csv"
            } else {
                ".npy, .idx, .amat or .png"
            }
        );
    }
    if tables || extension == Some("npy") {
        out.write_all(&file(&model, data.symbols, count)?)?;
    } else if extension == Some("png") {
        let levels = match model.values() {
            Values::GreenFirst(colours) => colours.levels,
            _ => model.levels(),
        };
        let white = levels.saturating_sub(1).min(65_535) as u16;
        let picture = Picture::tiled(&channels_of(&model, data), white)?;
        out.write_all(&picture.to_png()?)?;
    } else {
        data.write(&args.output, &mut out)?;
    }
    out.commit()?;
    Ok(())
}

/// The channels of pixels, of symbols that may be others.
fn channels_of(model: &VaeModel, mut data: DataSet) -> DataSet {
    if let Values::GreenFirst(colours) = model.values() {
        let top = colours.levels as u16 - 1;
        for pixel in data.symbols.chunks_exact_mut(colours.channels) {
            // What is no colour is shown as the nearest one.
            let green = pixel[0].min(top);
            pixel[0] = green;
            for difference in &mut pixel[1..3] {
                *difference = (*difference).clamp(top - green, 2 * top - green);
            }
            colours.channels(pixel);
        }
    }
    data
}

/// Samples as a data file: a table, or an .npy file of the narrowest type that the model's numbers fit in.
fn file(model: &VaeModel, symbols: Vec<u16>, count: usize) -> Result<Vec<u8>> {
    let source = match model.values() {
        Values::Columns(columns) => Source::table(&columns),
        Values::GreenFirst(colours) => {
            let highest = colours.levels as i64 - 1;
            Source::npy(model.shape(), count, Element::of_numbers(0, highest))
        }
        Values::Numbers(Step { lowest, step }) => {
            let highest = lowest + i64::from(step) * (model.levels() as i64 - 1);
            Source::npy(model.shape(), count, Element::of_numbers(lowest, highest))
        }
    };
    let rows = Rows {
        count,
        symbols,
        exceptions: vec![],
    };
    memory::data_file(model, source, &rows)
}
