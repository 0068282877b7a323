//! PNG.

use std::io::Cursor;

use anyhow::{Context, Result};
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Transformations};

use super::layout::pack;
use super::{Kind, Laid, Rival, as_depth};

pub(super) struct Png;

const FILTERS: [Filter; 7] = [
    Filter::NoFilter,
    Filter::Sub,
    Filter::Up,
    Filter::Avg,
    Filter::Paeth,
    Filter::Adaptive,
    Filter::MinEntropy,
];

impl Rival for Png {
    fn name(&self) -> &'static str {
        "PNG"
    }

    fn takes(&self, laid: &Laid) -> bool {
        matches!(laid.kind, Kind::Image { .. })
    }

    fn settings(&self) -> &'static [&'static str] {
        &[
            "no filter",
            "filter sub",
            "filter up",
            "filter average",
            "filter Paeth",
            "filters adaptive",
            "filters by entropy",
        ]
    }

    fn encode(&self, laid: &Laid, setting: usize) -> Result<Vec<u8>> {
        write(laid, FILTERS[setting])
    }

    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>> {
        Ok(as_depth(read(file)?, laid))
    }
}

/// A layout's image as a PNG file of its depth.
pub(super) fn write(laid: &Laid, filter: Filter) -> Result<Vec<u8>> {
    let Kind::Image {
        width,
        height,
        depth,
    } = laid.kind
    else {
        anyhow::bail!("not an image");
    };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_compression(Compression::High);
    encoder.set_filter(filter);
    let mut bytes = laid.bytes.as_slice();
    let packed;
    if depth == 1 {
        encoder.set_depth(BitDepth::One);
        packed = pack(bytes, width as usize);
        bytes = &packed;
    } else {
        encoder.set_depth(BitDepth::Eight);
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(file)
}

/// The grey pixels of a PNG file, a byte each.
pub(super) fn read(file: &[u8]) -> Result<Vec<u8>> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info()?;
    let size = reader.output_buffer_size().context("too large")?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels)?;
    pixels.truncate(info.buffer_size());
    let samples = info.color_type.samples();
    Ok(pixels.chunks_exact(samples).map(|p| p[0]).collect())
}
