//! PNG files: grey images of 1 or 8 bits, one a datum.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bbans_core::{Error, Result};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::source::{Layout, Source};
use crate::bytes::{Recorder, put_varint};

/// Most bytes of all names together.
const MAX_NAMES: u64 = 1 << 28;

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
        check_name(&name)?;
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
            names,
        },
    };
    Ok(PngData { source, paths })
}

fn read(path: &Path) -> Result<(Vec<usize>, u8, Vec<u8>)> {
    let opened = fs::File::open(path).map_err(Error::from);
    opened
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
    let bad = |e: png::DecodingError| Error::invalid_argument(format!("not a readable PNG: {e}"));
    let mut bytes = Vec::new();
    BufReader::new(input).read_to_end(&mut bytes)?;
    let decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    let mut reader = decoder.read_info().map_err(bad)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let depth = match (info.color_type, info.bit_depth) {
        (png::ColorType::Grayscale, png::BitDepth::One) => 1,
        (png::ColorType::Grayscale, png::BitDepth::Eight) => 8,
        (color, depth) => {
            return Err(Error::invalid_argument(format!(
                "a PNG of type {color:?} with {depth:?} bits; expected grey of 1 or 8 bits"
            )));
        }
    };
    let size = reader.output_buffer_size().filter(|&n| n <= 1 << 28);
    let size = size.ok_or_else(|| Error::invalid_argument("a PNG of over 256 MiB"))?;
    let mut data = vec![0; size];
    reader.next_frame(&mut data).map_err(bad)?;
    let pixels = if depth == 8 {
        data
    } else {
        unpack(&data, width)
    };
    Ok((vec![height, width], depth, pixels))
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
        e => Error::invalid_argument(format!("cannot write a PNG: {e}")),
    })
}

/// A name that can be restored in one folder on every system.
pub(super) fn check_name(name: &str) -> Result<()> {
    let forbidden = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    if name.is_empty() || name.len() > 255 || name.starts_with('.') || name.contains(forbidden) {
        return Err(Error::invalid_argument(format!(
            "the name {name:?} of a PNG file cannot be restored everywhere; rename it"
        )));
    }
    Ok(())
}

/// The names, a line each, as a zlib stream after its length.
pub(crate) fn write_names(out: &mut Vec<u8>, names: &[String]) -> Result<()> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    names
        .iter()
        .try_for_each(|name| writeln!(encoder, "{name}"))?;
    let compressed = encoder.finish()?;
    put_varint(out, compressed.len() as u64);
    out.extend(compressed);
    Ok(())
}

pub(crate) fn read_names<R: Read>(r: &mut Recorder<'_, R>) -> Result<Vec<String>> {
    let bad = || Error::corruption("the names of the PNG files in the header are damaged");
    let len = r.varint(MAX_NAMES, "the length of the names")?;
    let compressed = r.bytes(len)?;
    let mut text = Vec::new();
    let decoded = ZlibDecoder::new(compressed)
        .take(MAX_NAMES)
        .read_to_end(&mut text);
    let text = decoded
        .ok()
        .and_then(|_| String::from_utf8(text).ok())
        .ok_or_else(bad)?;
    let names: Vec<String> = text.lines().map(str::to_owned).collect();
    // Ascending: in order, and none twice.
    if !names.is_sorted_by(|a, b| a < b) || names.iter().any(|name| check_name(name).is_err()) {
        return Err(bad());
    }
    Ok(names)
}
