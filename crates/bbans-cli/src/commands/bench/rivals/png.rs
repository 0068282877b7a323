//! PNG.

use std::io::Cursor;

use anyhow::{Context, Result, bail};
use png::{BitDepth, ColorType, Compression, Decoder, Encoder, Filter, Transformations};

use super::layout::pack;
use super::{Image, Kind, Laid, Piece, Rival, image, pick};

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

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        matches!(laid.kind, Kind::Image(_))
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

    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>> {
        write(image(piece)?, piece.bytes, FILTERS[setting])
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        read(file, image(piece)?)
    }
}

/// An image as a PNG file of its depth.
pub(super) fn write(image: Image, bytes: &[u8], filter: Filter) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, image.width, image.height);
    encoder.set_color(match image.channels {
        1 => ColorType::Grayscale,
        2 => ColorType::GrayscaleAlpha,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    });
    encoder.set_depth(match image.depth {
        1 => BitDepth::One,
        8 => BitDepth::Eight,
        _ => BitDepth::Sixteen,
    });
    encoder.set_compression(Compression::High);
    encoder.set_filter(filter);
    let mut writer = encoder.write_header()?;
    match image.depth {
        1 => writer.write_image_data(&pack(bytes, image.width as usize))?,
        _ => writer.write_image_data(bytes)?,
    }
    writer.finish()?;
    Ok(file)
}

/// The values of a PNG file that holds an `image`.
pub(super) fn read(file: &[u8], image: Image) -> Result<Vec<u8>> {
    let mut decoder = Decoder::new(Cursor::new(file));
    decoder.set_transformations(match image.depth {
        16 => Transformations::EXPAND,
        _ => Transformations::normalize_to_color8(),
    });
    let mut reader = decoder.read_info()?;
    let size = reader.output_buffer_size().context("too large")?;
    let mut pixels = vec![0; size];
    let info = reader.next_frame(&mut pixels)?;
    if (info.bit_depth == BitDepth::Sixteen) != (image.depth == 16) {
        bail!("what it decodes has another depth");
    }
    pixels.truncate(info.buffer_size());
    Ok(pick(&pixels, info.color_type.samples(), image))
}
