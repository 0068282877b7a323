//! PNG files: grey images of 1 or 8 bits, one a datum.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bbans_core::{Error, Result};

use super::names::Names;
use super::source::{Layout, Source};
use crate::container::MAX_DIMS;

/// Bytes of a file up to the end of its first chunk, which has its size.
const HEAD: u64 = 33;
/// Bytes of chunks besides the pixels' that a file may have.
const MAX_CHUNKS: u64 = 1 << 24;

/// A folder of PNG files.
#[derive(Debug, Clone)]
pub struct PngData {
    /// Their common shape and their names.
    pub source: Source,
    /// The files in order.
    pub paths: Vec<PathBuf>,
}

/// The PNG files of a folder, ordered by name; shape and depth are those of the first.
///
/// # Errors
/// If there is no PNG file, a name cannot be restored everywhere, or the first is no grey image.
pub fn read_folder(folder: &Path) -> Result<PngData> {
    let in_folder = |e: std::io::Error| Error::from(e).context(folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(in_folder)? {
        let name = entry.map_err(in_folder)?.file_name();
        let name = name.into_string().map_err(|name| {
            Error::invalid_argument(format!(
                "{}: a name that is not UTF-8",
                Path::new(&name).display()
            ))
        })?;
        if !name.to_ascii_lowercase().ends_with(".png") {
            return Err(Error::invalid_argument(format!(
                "{}: {name} is no PNG file and would be lost; expected a folder of PNG files alone",
                folder.display()
            )));
        }
        names.push(name);
    }
    names.sort_unstable();
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    let Some(first) = paths.first() else {
        return Err(Error::invalid_argument(format!(
            "{}: no PNG file; expected at least one",
            folder.display()
        )));
    };
    let (shape, depth, _) = read(first)?;
    let source = Source {
        shape,
        layout: Layout::Png {
            depth,
            single: false,
            names: Names::new(names.iter().map(String::as_str))?,
        },
    };
    Ok(PngData { source, paths })
}

fn read(path: &Path) -> Result<(Vec<usize>, u8, Vec<u8>)> {
    let opened = || {
        // Not opened first: that of a named pipe would wait for a writer.
        if !fs::metadata(path)?.is_file() {
            return Err(Error::invalid_argument(
                "not a regular file; expected a folder of PNG files alone",
            ));
        }
        Ok(fs::File::open(path)?)
    };
    opened()
        .and_then(|file| decode(BufReader::new(file)))
        .map_err(|e| e.context(path.display()))
}

/// Pixels of a file that must be like the others of `source`.
pub(super) fn read_like(path: &Path, source: &Source) -> Result<Vec<u8>> {
    let (shape, found, pixels) = read(path)?;
    match source.layout {
        Layout::Png { depth, .. } if depth == found && shape == source.shape => Ok(pixels),
        Layout::Png { depth, .. } => Err(Error::invalid_argument(format!(
            "{}: an image of shape {shape:?} and {found} bits; the first of the folder has shape \
             {:?} and {depth} bits, and all must be alike",
            path.display(),
            source.shape
        ))),
        _ => Err(Error::invalid_argument("no PNG data")),
    }
}

/// Shape, depth and pixels, a byte each: 0 or 1 for a depth of 1.
pub(super) fn decode(input: impl Read) -> Result<(Vec<usize>, u8, Vec<u8>)> {
    let bad = |e: png::DecodingError| Error::invalid_argument("not a readable PNG").because(e);
    let bytes = read_file(input)?;
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().map_err(bad)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let depth = match (info.color_type, info.bit_depth) {
        (png::ColorType::Grayscale, png::BitDepth::One) => 1,
        (png::ColorType::Grayscale, png::BitDepth::Eight) => 8,
        (color, depth) => {
            return Err(Error::invalid_argument(format!(
                "a PNG of type {color:?} with {depth:?} bits; expected grey of 1 or 8 bits: give colours as .npy"
            )));
        }
    };
    if info.trns.is_some() || info.animation_control.is_some() {
        return Err(Error::invalid_argument(
            "a PNG with transparency or of several frames, which would be lost; expected opaque \
             pixels of one frame",
        ));
    }
    let too_large = || Error::invalid_argument("a PNG too large to be decoded");
    let size = reader.output_buffer_size().ok_or_else(too_large)?;
    if size > MAX_DIMS {
        return Err(too_large());
    }
    let mut data = vec![0; size];
    reader.next_frame(&mut data).map_err(bad)?;
    let pixels = if depth == 8 {
        data
    } else {
        unpack(&data, width)
    };
    Ok((vec![height, width], depth, pixels))
}

/// The bytes of a file, of which there may not be more than its size accounts for.
fn read_file(mut input: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < HEAD {
        return Ok(bytes);
    }
    let size = |at: usize| -> u64 {
        let size = bytes.get(at..at + 4).unwrap_or(&[]);
        size.iter().fold(0, |n, &b| n << 8 | u64::from(b))
    };
    let (width, height) = (size(16), size(20));
    let pixels = width * height;
    if !(1..=MAX_DIMS as u64).contains(&pixels) {
        return Err(Error::invalid_argument(format!(
            "a PNG of {width} by {height} pixels; expected 1 to {MAX_DIMS}"
        )));
    }
    // A byte a pixel and one a row, which deflate can make longer, if by little.
    let most = 2 * (pixels + height) + MAX_CHUNKS;
    input.take(most + 1 - HEAD).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid_argument(format!(
            "a PNG of {width} by {height} pixels with over {most} bytes; expected fewer"
        )));
    }
    Ok(bytes)
}

fn unpack(packed: &[u8], width: usize) -> Vec<u8> {
    let row = |row: &[u8]| {
        (0..width)
            .map(|x| row[x / 8] >> (7 - x % 8) & 1)
            .collect::<Vec<_>>()
    };
    packed
        .chunks_exact(width.div_ceil(8))
        .flat_map(row)
        .collect()
}

fn pack(pixels: &[u8], width: usize) -> Vec<u8> {
    let byte = |bits: &[u8]| {
        bits.iter()
            .enumerate()
            .fold(0, |b, (i, &v)| b | (v & 1) << (7 - i))
    };
    pixels
        .chunks_exact(width)
        .flat_map(|row| row.chunks(8).map(byte).collect::<Vec<_>>())
        .collect()
}

/// Writes one image: `pixels` a byte each, 0 or 1 for a `depth` of 1.
pub(super) fn encode(
    out: &mut impl Write,
    shape: &[usize],
    depth: u8,
    pixels: &[u8],
) -> Result<()> {
    let size = |d: usize| u32::try_from(d).ok().filter(|&d| d > 0);
    let &[height, width] = shape else {
        return Err(Error::corruption(format!("PNG data of shape {shape:?}")));
    };
    let (Some(w), Some(h)) = (size(width), size(height)) else {
        return Err(Error::corruption(format!("PNG data of shape {shape:?}")));
    };
    let mut encoder = png::Encoder::new(out, w, h);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(if depth == 1 {
        png::BitDepth::One
    } else {
        png::BitDepth::Eight
    });
    let data = if depth == 1 {
        pack(pixels, width)
    } else {
        pixels.to_vec()
    };
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&data)?;
        writer.finish()
    });
    written.map_err(|e| match e {
        png::EncodingError::IoError(e) => e.into(),
        e => Error::invalid_argument("cannot write a PNG").because(e),
    })
}
