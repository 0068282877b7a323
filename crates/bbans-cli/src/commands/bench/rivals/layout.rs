//! How the data are laid out for a compressor that knows nothing of them.

use anyhow::Result;

use crate::support::picture::Picture;
use crate::support::rows::DataSet;

/// What a layout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A run of bytes.
    Stream,
    /// A grey image, one byte a pixel: 0 and 1 with a depth of 1, else with a depth of 8.
    Image { width: u32, height: u32, depth: u8 },
}

/// Data in one layout.
pub(super) struct Laid {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// All layouts of `data`, whose values are below `levels`.
pub(super) fn all(data: &DataSet, levels: usize) -> Result<Vec<Laid>> {
    let binary = levels == 2;
    let stream = |name, bytes| Laid {
        name,
        kind: Kind::Stream,
        bytes,
    };
    let width = data.shape.last().copied().unwrap_or(1).max(1);
    let mut all = vec![stream("one byte a value", data.bytes())];
    if binary {
        all.push(stream("packed bits", pack(&data.bytes(), usize::MAX)));
        all.push(stream("rows padded to bytes", pack(&data.bytes(), width)));
    }
    let &[height, width] = data.shape.as_slice() else {
        return Ok(all);
    };
    let depth = if binary { 1 } else { 8 };
    let Picture {
        width: tiled_width,
        height: tiled_height,
        pixels,
    } = Picture::tiled(data)?;
    let tiled = (tiled_width, tiled_height, pixels);
    let tall = (width, data.count() * height, data.bytes());
    for (name, stream_name, (width, height, bytes)) in [
        ("one tall image", None, tall),
        (
            "one tiled image",
            Some("tiled, rows padded to bytes"),
            tiled,
        ),
    ] {
        if let (Some(name), true) = (stream_name, binary) {
            all.push(stream(name, pack(&bytes, width)));
        } else if stream_name.is_some() {
            all.push(stream("tiled", bytes.clone()));
        }
        let kind = Kind::Image {
            width: u32::try_from(width)?,
            height: u32::try_from(height)?,
            depth,
        };
        all.push(Laid { name, kind, bytes });
    }
    Ok(all)
}

/// Bits, the first one highest, each run of `row` filled up to a whole byte.
pub(super) fn pack(bits: &[u8], row: usize) -> Vec<u8> {
    bits.chunks(row.min(bits.len()).max(1))
        .flat_map(|row| row.chunks(8))
        .map(|byte| {
            byte.iter()
                .enumerate()
                .fold(0, |packed, (i, &bit)| packed | (bit & 1) << (7 - i))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_from_the_top() {
        assert_eq!(pack(&[1, 0, 1], usize::MAX), [0b1010_0000]);
        assert_eq!(pack(&[1, 1, 1, 0, 0, 1], 3), [0b1110_0000, 0b0010_0000]);
    }
}
