//! How the data are laid out for a compressor that knows nothing of them.

mod images;
mod streams;
mod table;
mod values;

use anyhow::Result;

use crate::support::rows::DataSet;

pub(super) use table::{Column, Table};
pub(super) use values::pack;

/// Greatest number of columns of a table: with more, a row is a signal.
const MAX_COLUMNS: usize = 64;
/// Greatest number of channels of a signal, by FLAC.
const MAX_CHANNELS: usize = 8;

/// What a layout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A run of bytes.
    Stream(Run),
    /// Pixels row by row.
    Image(Image),
    /// Signed samples of 8 or 16 bits, little-endian, one of each channel after another.
    Signal { channels: usize, bits: u8 },
    /// The text of a table, its first line the names of the columns.
    Table,
}

/// What a compressor of bytes can be told of a run of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Bytes of a value that stand together, 1 or 2.
    pub(super) width: u8,
    /// The number of bytes after which a similar value comes, unless it was already used.
    pub(super) period: Option<u8>,
    /// Whether the slow compressors leave it out: another layout does better nearly always.
    pub(super) minor: bool,
}

/// The form of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) width: u32,
    pub(super) height: u32,
    /// 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha.
    pub(super) channels: usize,
    /// 1 (a byte a pixel, 0 or 1), 8, or 16 (two bytes a value, big-endian).
    pub(super) depth: u8,
}

/// Data in one layout.
pub(super) struct Laid {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// In how many files of one size.
    files: usize,
    bytes: Vec<u8>,
}

/// What one file holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
}

impl Laid {
    fn new(name: &'static str, kind: Kind, bytes: Vec<u8>) -> Self {
        Self {
            name,
            kind,
            files: 1,
            bytes,
        }
    }

    /// What each file holds.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let size = (self.bytes.len() / self.files).max(1);
        let pieces = self.bytes.chunks(size);
        pieces.map(|bytes| Piece {
            kind: self.kind,
            bytes,
        })
    }
}

/// All layouts of `data`, whose values are below `levels`, and of the `text` that they came in: of it alone, where the
/// values do not say all that is in it.
pub(super) fn all(data: &DataSet, levels: usize, text: Option<&[u8]>) -> Result<Vec<Laid>> {
    let mut all = Vec::new();
    let complete = data.exceptions.is_empty();
    if complete {
        all.extend(streams::all(data, levels));
        all.extend(images::all(data, levels)?);
        all.extend(signal(data, levels));
    }
    if let Some(text) = text {
        let kind = streams::bytes(None);
        all.push(Laid::new("the file itself", kind, text.to_vec()));
    }
    let written = (complete && is_table(data)).then(|| table::text(data));
    if let Some(text) = text.map(<[u8]>::to_vec).or(written)
        && Table::parse(&text).is_some()
    {
        all.push(Laid::new("typed columns", Kind::Table, text));
    }
    Ok(all)
}

/// Whether data are rows of a table: few values each, and many of them.
fn is_table(data: &DataSet) -> bool {
    let columns = data.dims();
    data.shape.len() == 1 && columns <= MAX_COLUMNS && data.count() >= 4 * columns
}

/// Data one after another as one signal, if they are any: `[n]`, of which a few values may be
/// those of as many channels, or `[n, channels]`.
fn signal(data: &DataSet, levels: usize) -> Option<Laid> {
    let channels = match *data.shape.as_slice() {
        [n] if n <= MAX_CHANNELS => n.max(1),
        [_] => 1,
        [_, channels @ 1..=MAX_CHANNELS] => channels,
        _ => return None,
    };
    let wide = levels > 256;
    let bits = if wide { 16 } else { 8 };
    // The middle of the levels is 0.
    let centred = data.symbols.iter().map(|&v| v ^ (1 << (bits - 1)));
    let bytes = values::little_endian(centred, wide);
    let kind = Kind::Signal { channels, bits };
    Some(Laid::new("one signal", kind, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_signal_is_0() {
        let data = |symbols| DataSet {
            shape: vec![1, 2],
            symbols,
            ..DataSet::default()
        };
        let laid = signal(&data(vec![128, 0, 255, 127]), 256).unwrap();
        let kind = Kind::Signal {
            channels: 2,
            bits: 8,
        };
        assert_eq!((laid.kind, laid.bytes), (kind, vec![0, 128, 127, 255]));
        let laid = signal(&data(vec![32768, 32767]), 65536).unwrap();
        assert_eq!(laid.bytes, [0, 0, 0xff, 0xff]);
    }

    #[test]
    fn pieces_are_all_of_the_bytes() {
        let mut laid = Laid::new("", streams::bytes(None), vec![1, 2, 3, 4]);
        laid.files = 2;
        let pieces: Vec<_> = laid.pieces().map(|p| p.bytes).collect();
        assert_eq!(pieces, [[1, 2], [3, 4]]);
    }
}
