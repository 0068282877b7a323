//! PNG (third edition): grey or colours, with or without alpha, of 1, 8 or 16 bits.
//!
//! What comes back is the pixels and the chunks that say something of them, not the file's bytes:
//! filters, compression and interlacing are those of the writer.

use std::io::{BufReader, Cursor, Read, Write};

use bbans_core::{Error, Result};

use super::kept::{self, Chunk, FRAME, Kept};
use super::samples::Samples;
use crate::container::dims_of;
use crate::data::element::{Element, Kind as ElementKind};

/// The first bytes of every PNG.
pub(crate) const MAGIC: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// Bytes that the chunks of the pixels may have beyond what these account for.
const SLACK: usize = 1 << 20;

/// What the values of a pixel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Grey.
    Grey,
    /// Grey and alpha.
    GreyAlpha,
    /// Red, green and blue.
    Rgb,
    /// Red, green, blue and alpha.
    Rgba,
}

impl Color {
    /// Values of a pixel.
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::GreyAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }

    fn of_crate(self) -> png::ColorType {
        match self {
            Self::Grey => png::ColorType::Grayscale,
            Self::GreyAlpha => png::ColorType::GrayscaleAlpha,
            Self::Rgb => png::ColorType::Rgb,
            Self::Rgba => png::ColorType::Rgba,
        }
    }
}

/// What the pixels of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// What their values are.
    pub color: Color,
    /// Bits of a value: 8, 16, or, of grey alone, 1.
    pub depth: u8,
}

impl Kind {
    /// Its number in a header: the colour type of PNG, and the depth.
    pub(crate) fn codes(self) -> [u8; 2] {
        let color = match self.color {
            Color::Grey => 0,
            Color::Rgb => 2,
            Color::GreyAlpha => 4,
            Color::Rgba => 6,
        };
        [color, self.depth]
    }

    /// The kind of numbers in a header, if there is one.
    pub(crate) fn of_codes([color, depth]: [u8; 2]) -> Option<Self> {
        let color = match color {
            0 => Color::Grey,
            2 => Color::Rgb,
            4 => Color::GreyAlpha,
            6 => Color::Rgba,
            _ => return None,
        };
        let kind = Self { color, depth };
        kind.samples().map(|_| kind)
    }

    /// The type of its values where they are digested and excepted: a byte each, or two with the higher one first.
    pub(crate) fn element(self) -> Element {
        Element {
            kind: if self.depth > 8 {
                ElementKind::U16
            } else {
                ElementKind::U8
            },
            big_endian: self.depth > 8,
        }
    }
    /// What holds a value; `None` if there is no such kind.
    fn samples(self) -> Option<(Samples, png::BitDepth)> {
        match (self.depth, self.color) {
            (1, Color::Grey) => Some((Samples::Bits, png::BitDepth::One)),
            (8, _) => Some((Samples::Bytes, png::BitDepth::Eight)),
            (16, _) => Some((Samples::Words, png::BitDepth::Sixteen)),
            _ => None,
        }
    }
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// `[height, width]` for grey, `[height, width, channels]` otherwise.
    pub(crate) shape: Vec<usize>,
    /// What its pixels are.
    pub(crate) kind: Kind,
    /// Their values, row-major.
    pub(crate) values: Vec<u16>,
    /// The other chunks: those before the pixels, then, if any follow them, a byte 0x80 and those.
    pub(crate) chunks: Vec<u8>,
}

/// Reads a picture, and that nothing follows it.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if it is damaged, too large or of a kind that would
/// not come back.
pub(crate) fn decode(input: impl Read) -> Result<Picture> {
    let mut input = BufReader::new(input);
    let (size, first) = read_size(&mut input)?;
    let (file, chunks) = read_chunks(&mut input, &size, first)?;
    if input.bytes().next().transpose()?.is_some() {
        return Err(Error::invalid_argument(
            "a PNG with data after its end, which would be lost; expected none: cut them off",
        ));
    }
    let values = pixels(file, &size)?;
    Ok(Picture {
        shape: size.shape(),
        kind: size.kind,
        values,
        chunks,
    })
}

/// What [`decode`] would give as chunks, without the pixels.
///
/// # Errors
/// As there.
pub(crate) fn chunks(input: impl Read) -> Result<Vec<u8>> {
    let mut input = BufReader::new(input);
    let (size, first) = read_size(&mut input)?;
    Ok(read_chunks(&mut input, &size, first)?.1)
}

/// Size and kind of a picture, both valid.
struct Size {
    width: u32,
    height: u32,
    kind: Kind,
    samples: Samples,
    depth: png::BitDepth,
}

impl Size {
    fn new(width: u32, height: u32, kind: Kind) -> Result<Self> {
        let (samples, depth) = kind.samples().ok_or_else(|| {
            Error::invalid_argument(format!(
                "a PNG of {} bits a value; expected 8 or 16, or 1 for grey: convert it to 8",
                kind.depth
            ))
        })?;
        let size = Self {
            width,
            height,
            kind,
            samples,
            depth,
        };
        match dims_of(&size.shape())? {
            1.. => Ok(size),
            0 => Err(Error::invalid_argument(format!(
                "a PNG of {width} by {height} pixels; expected at least one"
            ))),
        }
    }

    fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.height as usize, self.width as usize];
        if self.kind.color != Color::Grey {
            shape.push(self.kind.color.channels());
        }
        shape
    }

    /// Values of a row.
    fn row(&self) -> usize {
        self.width as usize * self.kind.color.channels()
    }

    /// Bytes of the pixels.
    fn bytes(&self) -> usize {
        self.samples.row_bytes(self.row()) * self.height as usize
    }
}

/// The picture's size, and the chunk that has it.
fn read_size(input: &mut impl Read) -> Result<(Size, Chunk)> {
    let mut magic = Vec::new();
    input.take(MAGIC.len() as u64).read_to_end(&mut magic)?;
    if magic != *MAGIC {
        return Err(Error::invalid_argument(
            "no PNG; expected a file that starts with its signature",
        ));
    }
    let chunk = Chunk::read(input, 0)?;
    let (b"IHDR", &[w0, w1, w2, w3, h0, h1, h2, h3, depth, color, ..]) =
        (&chunk.kind, chunk.data())
    else {
        return Err(Error::invalid_argument(
            "a PNG that does not start with its size (IHDR); the file is damaged",
        ));
    };
    let color = match color {
        0 => Color::Grey,
        2 => Color::Rgb,
        3 => {
            return Err(Error::invalid_argument(
                "a PNG with a palette; expected grey or colour values: convert it, e.g. to RGB",
            ));
        }
        4 => Color::GreyAlpha,
        6 => Color::Rgba,
        _ => {
            return Err(Error::invalid_argument(format!(
                "a PNG of colour type {color}; expected 0, 2, 4 or 6: the file is damaged"
            )));
        }
    };
    let [width, height] = [[w0, w1, w2, w3], [h0, h1, h2, h3]].map(u32::from_be_bytes);
    Ok((Size::new(width, height, Kind { color, depth })?, chunk))
}

/// A PNG of the pixels alone, so that nothing else changes them, and the chunks that are kept.
fn read_chunks(input: &mut impl Read, size: &Size, first: Chunk) -> Result<(Vec<u8>, Vec<u8>)> {
    // A byte a row for its filter, at most two rows for one if interlaced; deflate can make it
    // longer, if by little.
    let most = 2 * (size.bytes() + 2 * size.height as usize) + SLACK;
    let mut file = [MAGIC.as_slice(), &first.raw].concat();
    let (mut kept, mut begun, mut ended) = (Kept::default(), false, false);
    loop {
        let chunk = Chunk::read(input, most.saturating_sub(file.len()))?;
        match &chunk.kind {
            b"IDAT" if ended => {
                return Err(Error::invalid_argument(
                    "a PNG with other chunks amid its pixels; expected these in one piece: the file is \
                     damaged",
                ));
            }
            b"IDAT" => begun = true,
            b"IEND" if chunk.raw.len() == FRAME => {
                file.extend(chunk.raw);
                return Ok((file, kept.bytes));
            }
            _ => {
                ended = begun;
                kept.keep(&chunk, ended)?;
                continue;
            }
        }
        file.extend(chunk.raw);
    }
}

/// The values of a PNG of pixels alone.
fn pixels(file: Vec<u8>, size: &Size) -> Result<Vec<u16>> {
    let bad = |e: png::DecodingError| Error::invalid_argument("not a readable PNG").because(e);
    let decoder = png::Decoder::new(Cursor::new(file));
    let mut reader = decoder.read_info().map_err(bad)?;
    if reader.output_buffer_size() != Some(size.bytes()) {
        return Err(Error::invalid_argument("a PNG too large to be decoded"));
    }
    let mut bytes = vec![0; size.bytes()];
    reader.next_frame(&mut bytes).map_err(bad)?;
    Ok(size.samples.unpack(&bytes, size.row()))
}

/// Writes a picture, of what [`decode`] gave or of anything that a file may hold.
///
/// # Errors
/// [`bbans_core::ErrorKind::Corruption`] if there is no such picture; then nothing is written.
pub(crate) fn encode(
    out: &mut impl Write,
    shape: &[usize],
    kind: Kind,
    chunks: &[u8],
    values: &[u16],
) -> Result<()> {
    let size = size_of(shape, kind)?;
    let dims = size.row() * size.height as usize;
    let most = u16::MAX >> (16 - u16::from(kind.depth));
    if values.len() != dims || values.iter().any(|&v| v > most) {
        return Err(Error::corruption(format!(
            "the values of a PNG do not fit it; expected {dims} of 0 to {most}"
        )));
    }
    let [before, after] = kept::parse(chunks)?;
    let mut encoder = png::Encoder::new(out, size.width, size.height);
    encoder.set_color(kind.color.of_crate());
    encoder.set_depth(size.depth);
    let written = encoder.write_header().and_then(|mut writer| {
        write_chunks(&mut writer, &before)?;
        writer.write_image_data(&size.samples.pack(values, size.row()))?;
        write_chunks(&mut writer, &after)?;
        writer.finish()
    });
    written.map_err(|e| match e {
        png::EncodingError::IoError(e) => e.into(),
        e => Error::corruption("cannot write a PNG").because(e),
    })
}

fn size_of(shape: &[usize], kind: Kind) -> Result<Size> {
    let bad = || Error::corruption(format!("a PNG of {kind:?} and shape {shape:?}"));
    let (&[height, width] | &[height, width, _]) = shape else {
        return Err(bad());
    };
    let [width, height] = [width, height].map(u32::try_from);
    let (Ok(width), Ok(height)) = (width, height) else {
        return Err(bad());
    };
    let size = Size::new(width, height, kind).map_err(|e| bad().because(e))?;
    (size.shape() == shape).then_some(size).ok_or_else(bad)
}

fn write_chunks<W: Write>(
    writer: &mut png::Writer<W>,
    chunks: &[Chunk],
) -> std::result::Result<(), png::EncodingError> {
    let mut write = |c: &Chunk| writer.write_chunk(png::chunk::ChunkType(c.kind), c.data());
    chunks.iter().try_for_each(&mut write)
}

#[cfg(test)]
mod tests;
