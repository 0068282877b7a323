//! Whatever goes wrong, nothing is lost and nothing is left behind.

mod bombs;
mod options;
mod several;
#[cfg(unix)]
mod system;

#[cfg(unix)]
mod attributes;
#[cfg(unix)]
mod replaced;
#[cfg(unix)]
mod same_file;
#[cfg(unix)]
mod signals;

use std::io::Write;

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

/// A folder with the data file `x` of `count` data and, compressed, `x.bbans`.
fn with_data(count: usize) -> Folder {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(count, 1), &TINY_SHAPE, 1));
    folder.ok("compress x -q -m tiny.safetensors");
    folder
}

/// A folder with `set.bbans`, which holds a folder of `count` PNG files.
fn with_png_set(count: usize) -> Folder {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("set")).unwrap();
    for (i, row) in tiny_data(count, 2).rows().into_iter().enumerate() {
        let pixels: Vec<u8> = row.iter().map(|&v| v as u8 * 255).collect();
        let path = folder.path("set").join(format!("{i:05}.png"));
        std::fs::write(path, png(5, 6, &pixels, |_| {})).unwrap();
    }
    folder.ok("compress set -q -m tiny.safetensors");
    std::fs::remove_dir_all(folder.path("set")).unwrap();
    folder
}

/// A grey PNG of 8 bits.
fn png(
    width: u32,
    height: u32,
    pixels: &[u8],
    change: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    change(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    bytes
}

fn gzip(chunks: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    chunks.for_each(|chunk| gz.write_all(&chunk).unwrap());
    gz.finish().unwrap()
}
