//! Runs of bytes.

use super::values::{differences, little_endian, pack, planes, transposed};
use super::{Kind, Laid, MAX_CHANNELS, Run, images, is_table};
use crate::support::rows::DataSet;

/// All runs of bytes that data of `levels` levels are worth being laid out in.
pub(super) fn all(data: &DataSet, levels: usize) -> Vec<Laid> {
    match levels {
        2 => of_bits(data),
        ..=256 => of_bytes(data),
        _ => of_pairs(data),
    }
}

/// A run of bytes, of which those of one `period` are alike.
pub(super) fn bytes(period: Option<usize>) -> Kind {
    Kind::Stream(Run {
        width: 1,
        period: period.and_then(|p| u8::try_from(p).ok()),
        minor: false,
    })
}

fn of_bits(data: &DataSet) -> Vec<Laid> {
    let one = |name, bits| Laid::new(name, bytes(None), bits);
    let bits = data.bytes();
    let width = data.shape.last().copied().unwrap_or(1).max(1);
    let mut all = vec![
        one("packed bits", pack(&bits, usize::MAX)),
        one("rows padded to bytes", pack(&bits, width)),
    ];
    if is_table(data) {
        let columns = little_endian(transposed(&data.symbols, data.dims()).into_iter(), false);
        let packed = pack(&columns, data.count());
        all.push(one("by column, padded to bytes", packed));
    }
    if let Some((tiled, width)) = images::tiled_grey(data) {
        let packed = pack(&little_endian(tiled.into_iter(), false), width);
        all.push(one("tiled, rows padded to bytes", packed));
    }
    all.push(one("one byte a value", bits));
    all
}

fn of_bytes(data: &DataSet) -> Vec<Laid> {
    let values = &data.symbols;
    let channels = channels(data);
    let one = |name, period, values: Vec<u16>| {
        let run = little_endian(values.into_iter(), false);
        Laid::new(name, bytes(period), run)
    };
    let mut all = vec![
        one("one byte a value", Some(channels), values.clone()),
        one("differences", None, differences(values, channels)),
    ];
    if is_table(data) {
        let columns = transposed(values, data.dims());
        let steps = differences(&columns, 1);
        all.push(one("by column", Some(1), columns));
        all.push(one("by column, differences", None, steps));
    }
    if let Some((tiled, _)) = images::tiled_grey(data) {
        all.push(one("tiled", Some(1), tiled));
    }
    all
}

/// Values of two bytes, together or in two planes.
fn of_pairs(data: &DataSet) -> Vec<Laid> {
    let values = &data.symbols;
    let channels = channels(data);
    let table = is_table(data);
    let together = |name, period: Option<usize>, minor, values: &[u16]| {
        let run = Run {
            width: 2,
            period: period.and_then(|p| u8::try_from(2 * p).ok()),
            minor,
        };
        let bytes = little_endian(values.iter().copied(), true);
        Laid::new(name, Kind::Stream(run), bytes)
    };
    let apart = |name, minor, values: &[u16]| {
        let run = Run {
            width: 1,
            period: None,
            minor,
        };
        Laid::new(name, Kind::Stream(run), planes(values))
    };
    let steps = differences(values, channels);
    // In a table neighbours are of different columns: all but one of their layouts are minor.
    let mut all = vec![
        together("two bytes a value", Some(channels), false, values),
        apart("bytes apart", table, values),
        together("differences", None, table, &steps),
        apart("differences, bytes apart", table, &steps),
    ];
    if table {
        let columns = transposed(values, data.dims());
        let steps = differences(&columns, 1);
        all.extend([
            together("by column", Some(1), false, &columns),
            apart("by column, bytes apart", false, &columns),
            together("by column, differences", None, true, &steps),
            apart("by column, differences, bytes apart", false, &steps),
        ]);
    }
    all
}

/// How many values before one is the one of its channel.
fn channels(data: &DataSet) -> usize {
    match *data.shape.as_slice() {
        [_, channels @ 1..=MAX_CHANNELS] | [_, _, channels @ 1..=4] => channels,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_rivals_get_at_most_6_layouts() {
        let shapes: [&[usize]; 5] = [&[2], &[100], &[4, 3], &[8, 12], &[4, 3, 4]];
        for (shape, levels) in shapes.iter().flat_map(|s| [2, 256, 65536].map(|l| (s, l))) {
            let data = DataSet {
                shape: shape.to_vec(),
                symbols: vec![1; 4800],
                ..DataSet::default()
            };
            let all = super::super::all(&data, levels, Some(b"the,text\n")).unwrap();
            let slow = |laid: &&Laid| matches!(laid.kind, Kind::Stream(run) if !run.minor);
            let slow = all.iter().filter(slow).count();
            assert!((3..=6).contains(&slow), "{shape:?} {levels} {slow}");
        }
    }

    #[test]
    fn channels_are_told_from_pictures() {
        let of = |shape: &[usize]| {
            channels(&DataSet {
                shape: shape.to_vec(),
                symbols: Vec::new(),
                ..DataSet::default()
            })
        };
        assert_eq!((of(&[360]), of(&[360, 2]), of(&[28, 28])), (1, 2, 1));
        assert_eq!((of(&[8, 8, 3]), of(&[8, 8, 2]), of(&[3, 8, 8])), (3, 2, 1));
    }
}
