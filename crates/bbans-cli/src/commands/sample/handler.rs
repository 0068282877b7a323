//! The work of `bbans sample`.

use std::io::Write;

use anyhow::{Result, bail};
use bbans::{FileModel, LatentModel};

use super::Args;
use crate::support::output::{Output, check_free};
use crate::support::rows::DataSet;
use crate::support::{input, models};

/// Data drawn at a time.
const LANES: usize = 100;

pub(crate) fn run(args: &Args) -> Result<()> {
    if !input::is_dash(&args.output) {
        check_free(&args.output, args.force)?;
    }
    let model = models::load(args.model.as_deref().unwrap_or(models::default_name()))?;
    let count = args.count as usize;
    let mut bytes = Vec::new();
    for (step, start) in (0..count).step_by(LANES).enumerate() {
        let lanes = LANES.min(count - start);
        bytes.extend(
            bbans::sample(&model, lanes, args.seed, step as u64)?
                .iter()
                .copied(),
        );
    }
    let data = DataSet {
        shape: model.shape().to_vec(),
        bytes,
    };
    let mut out = Output::create(&args.output, args.force)?;
    if args.output.extension().is_some_and(|e| e == "png") {
        write_grid(&data, model.dims(), &mut out)?;
    } else {
        data.write(&args.output, &mut out)?;
    }
    out.commit()
}

/// The images side by side, about as many in a row as there are rows, white on black.
fn write_grid(data: &DataSet, dims: usize, out: &mut impl Write) -> Result<()> {
    let &[height, width] = data.shape.as_slice() else {
        bail!(
            "data of shape {:?} are no images; write .amat or .idx",
            data.shape
        );
    };
    let columns = (data.count() as f64).sqrt().ceil() as usize;
    let rows = data.count().div_ceil(columns);
    let (total_width, total_height) = (columns * width, rows * height);
    let mut pixels = vec![0u8; total_width * total_height];
    for (i, image) in data.bytes.chunks_exact(dims).enumerate() {
        let corner = i / columns * height * total_width + i % columns * width;
        for (y, row) in image.chunks_exact(width).enumerate() {
            let start = corner + y * total_width;
            pixels[start..start + width].copy_from_slice(row);
        }
    }
    pixels.iter_mut().for_each(|p| *p *= 255);
    let mut encoder = png::Encoder::new(
        out,
        u32::try_from(total_width)?,
        u32::try_from(total_height)?,
    );
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    Ok(writer.finish()?)
}
