//! Images of all data together, and of each.

use anyhow::Result;

use super::{Image, Kind, Laid};
use crate::support::rows::DataSet;

/// Pixels above which a picture is worth a file of its own.
const SMALL: usize = 64 * 64;

/// Height, width and channels of one picture, if the data are pictures.
fn size(data: &DataSet) -> Option<[usize; 3]> {
    match *data.shape.as_slice() {
        [height, width] => Some([height, width, 1]),
        [height, width, channels @ 2..=4] => Some([height, width, channels]),
        _ => None,
    }
}

/// All layouts as images, if the data are pictures.
pub(super) fn all(data: &DataSet, levels: usize) -> Result<Vec<Laid>> {
    let Some([height, width, channels]) = size(data) else {
        return Ok(Vec::new());
    };
    // Bits in channels have no format of their own.
    let depth = match levels {
        2 if channels == 1 => 1,
        ..=256 => 8,
        _ => 16,
    };
    let laid = |name, width: usize, height: usize, values: &[u16]| -> Result<Laid> {
        let kind = Kind::Image(Image {
            width: u32::try_from(width)?,
            height: u32::try_from(height)?,
            channels,
            depth,
        });
        Ok(Laid::new(name, kind, big_endian(values, depth == 16)))
    };
    let count = data.count();
    if count == 1 {
        return Ok(vec![laid("one image", width, height, &data.symbols)?]);
    }
    let (tiled, tiled_width) = tiled(data, height, width * channels);
    let tiled_height = tiled.len() / tiled_width.max(1);
    let tall = (width, count * height);
    let mut all = vec![
        laid("one tall image", tall.0, tall.1, &data.symbols)?,
        laid(
            "one tiled image",
            tiled_width / channels,
            tiled_height,
            &tiled,
        )?,
    ];
    if height * width > SMALL {
        let mut each = laid("one file per picture", width, height, &data.symbols)?;
        each.files = count;
        all.push(each);
    }
    Ok(all)
}

/// Grey pictures side by side, and the width of that.
pub(super) fn tiled_grey(data: &DataSet) -> Option<(Vec<u16>, usize)> {
    match size(data)? {
        [height, width, 1] => Some(tiled(data, height, width)),
        _ => None,
    }
}

/// Pictures of `height` rows of `row` values side by side, about as many in a row as there are
/// rows, and the values of a row; what is left is 0.
fn tiled(data: &DataSet, height: usize, row: usize) -> (Vec<u16>, usize) {
    let columns = ((data.count() as f64).sqrt().ceil() as usize).max(1);
    let total = columns * row;
    let mut tiled = vec![0; total * height * data.count().div_ceil(columns)];
    for (i, picture) in data.symbols.chunks_exact(data.dims()).enumerate() {
        let corner = i / columns * height * total + i % columns * row;
        for (y, values) in picture.chunks_exact(row).enumerate() {
            let start = corner + y * total;
            tiled[start..start + row].copy_from_slice(values);
        }
    }
    (tiled, total)
}

fn big_endian(values: &[u16], wide: bool) -> Vec<u8> {
    match wide {
        true => values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        false => values.iter().map(|&v| v as u8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_every_value_of_a_pixel_together() {
        let data = DataSet {
            shape: vec![2, 1, 3],
            symbols: (1..=18).collect(),
            ..DataSet::default()
        };
        let (tiled, row) = tiled(&data, 2, 3);
        assert_eq!(row, 6);
        assert_eq!(tiled[..6], [1, 2, 3, 7, 8, 9]);
        assert_eq!(tiled[6..12], [4, 5, 6, 10, 11, 12]);
        assert_eq!(tiled[12..18], [13, 14, 15, 0, 0, 0]);
    }

    #[test]
    fn large_pictures_are_also_files_of_their_own() {
        let data = DataSet {
            shape: vec![65, 65],
            symbols: vec![300; 2 * 65 * 65],
            ..DataSet::default()
        };
        let all = all(&data, 65536).unwrap();
        let each = all.last().unwrap();
        assert_eq!(each.name, "one file per picture");
        assert_eq!(each.pieces().count(), 2);
        let size = |p: super::super::Piece<'_>| p.bytes.len() == 2 * 65 * 65;
        assert!(each.pieces().all(size));
    }
}
