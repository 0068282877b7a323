//! Container 3, damaged and forged: always an error, never a panic, never wrong data taken for right.

use bbans::container::{
    Content, Extra, Header, MAX_EXCEPTION_BYTES, Part, Parts, StoredBlock, Trailer,
};
use bbans::data::{Element, Exception};
use bbans::{ErrorKind, VaeModel};

use crate::support::arrays::npy_of;
use crate::values::{drawn, model, put_odd_ones, small_blocks};
use crate::ways;

fn small_model() -> VaeModel {
    model((-5, 2, 9), &[6, 5])
}

/// A file of nine data with exceptions.
fn content() -> Vec<u8> {
    let element = Element::of_name("f32").unwrap();
    let mut values = drawn(&small_model(), element, 9);
    put_odd_ones(&mut values, element);
    npy_of(&values, element, true)
}

#[test]
fn every_turned_bit_and_every_cut_is_noticed() {
    let model = small_model();
    for options in ways().into_iter().chain([small_blocks()]) {
        let file = bbans::compress_bytes(&model, &content(), options).unwrap();
        assert_eq!(file[8], 3);
        crate::damage::is_noticed(&model, &file, options);
    }
}

/// A file whose data are decodable alone, in parts.
struct Split {
    header: Header,
    block: StoredBlock,
    trailer: Trailer,
}

fn split() -> Split {
    let file = bbans::compress_bytes(&small_model(), &content(), ways()[6]).unwrap();
    let mut input = file.as_slice();
    let header = Header::read(&mut input).unwrap().unwrap();
    let mut parts = Parts::new(&mut input, &header).unwrap();
    let (Part::Block(block), Part::Trailer(trailer)) =
        (parts.read().unwrap(), parts.read().unwrap())
    else {
        panic!("one block and a trailer");
    };
    Split {
        header,
        block,
        trailer,
    }
}

impl Split {
    /// The file with these bytes as its block.
    fn with_block(&self, block: &[u8]) -> Vec<u8> {
        let mut trailer = self.trailer.clone();
        trailer.blocks[0].1 = block.len() as u64;
        let header = self.header.to_bytes().unwrap();
        [&header, block, &trailer.to_bytes().unwrap()].concat()
    }

    fn block_bytes(&self, exceptions: Vec<Exception>) -> Vec<u8> {
        let Content::Independent(data) = &self.block.content else {
            panic!("data that are decodable alone");
        };
        let extra = Extra {
            scale: self.block.scale,
            exceptions,
        };
        StoredBlock::independent_to_bytes(&self.header, data, &extra, 4)
    }
}

fn refused(file: &[u8], what: impl std::fmt::Debug) {
    let e = bbans::decompress_bytes(&small_model(), file, ways()[6]).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corruption, "{what:?}: {e}");
}

/// A forger keeps the checksum of a block: what exceptions say must then be refused on its own.
#[test]
fn forged_exceptions_are_refused() {
    let (model, split) = (small_model(), split());
    let good = &split.block.exceptions;
    assert!(good.len() > 5 && good.last().unwrap().at == 269);
    let file = split.with_block(&split.block_bytes(good.clone()));
    let restored = bbans::decompress_bytes(&model, &file, ways()[6]).unwrap();
    assert!(restored == content());
    let changes: [fn(&mut Vec<Exception>); 11] = [
        |all| all.clear(),
        |all| drop(all.pop()),
        |all| drop(all.remove(0)),
        |all| all.last_mut().unwrap().at = 268,
        |all| all.last_mut().unwrap().at = 270,
        |all| all.last_mut().unwrap().at = 1 << 40,
        |all| all.push(all[0].clone()),
        |all| all[1].bytes[0] ^= 1,
        |all| all[1].bytes.push(0),
        |all| all[1].bytes.truncate(3),
        |all| all[1].bytes.clear(),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut all = good.clone();
        change(&mut all);
        refused(&split.with_block(&split.block_bytes(all)), i);
    }
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

/// Numbers beyond their limits, in a block whose checksum fits.
#[test]
fn exceptions_beyond_the_limits_are_refused() {
    let split = split();
    let without = split.block_bytes(vec![]);
    // A tag, the number of data, and that there are no exceptions; a checksum at the end.
    assert_eq!(without[..3], [3, 9, 0]);
    let rest = &without[3..without.len() - 4];
    let forged = |numbers: &[u64]| {
        let exceptions: Vec<u8> = numbers.iter().flat_map(|&n| varint(n)).collect();
        let mut block = [&without[..2], &exceptions, rest].concat();
        let mut crc = flate2::Crc::new();
        crc.update(&block);
        block.extend(crc.sum().to_le_bytes());
        split.with_block(&block)
    };
    for numbers in [
        &[271][..],
        &[u64::MAX],
        &[1, 270, 0],
        &[1, u64::MAX, 0],
        &[2, 269, 0, 0, 0],
        &[2, 269, 0, u64::MAX, 0],
        &[1, 0, MAX_EXCEPTION_BYTES],
        &[1, 0, MAX_EXCEPTION_BYTES + 1],
        &[1, 0, u64::MAX],
        // Of 4 bytes, each of which is a number here.
        &[1, 0, 4, 0, 0, 0, 0],
        &[2, 0, 4, 0, 0, 0, 0, 0, 3, 0, 0, 0],
    ] {
        refused(&forged(numbers), numbers);
    }
}

/// What no writer says of a file of values.
#[test]
fn forged_headers_of_values_are_refused() {
    let file = bbans::compress_bytes(&small_model(), &content(), ways()[0]).unwrap();
    let header = Header::read(&mut file.as_slice()).unwrap().unwrap();
    // Of a lean file, which has no checksum here.
    let good = header.to_bytes().unwrap();
    let end = good.len() - 3;
    // .npy, of type f32, in the order of Fortran, with the usual header.
    assert_eq!(good[end..], [2, 9, 3]);
    for (last, kind) in [
        ([4, 9, 3], ErrorKind::Compatibility),
        ([2, 11, 3], ErrorKind::Compatibility),
        ([2, 9, 7], ErrorKind::Compatibility),
        // A byte has no order, a file of C-ordered bytes is one of version 1, and nobody knows this header of a picture.
        ([2, 0x81, 3], ErrorKind::Compatibility),
        ([2, 1, 2], ErrorKind::Corruption),
        ([1, 1, 2], ErrorKind::Corruption),
        ([3, 1, 2], ErrorKind::Corruption),
        // IDX files have no numbers of this type.
        ([1, 3, 2], ErrorKind::Corruption),
    ] {
        let mut forged = good.clone();
        forged[end..].copy_from_slice(&last);
        let e = Header::read(&mut forged.as_slice()).unwrap_err();
        assert_eq!(e.kind(), kind, "{last:?}: {e}");
    }
    let mut older = good.clone();
    older[8] = 2;
    let e = Header::read(&mut older.as_slice()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Corruption, "{e}");
    let mut older = header;
    older.version = 2;
    let e = older.to_bytes().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::InvalidArgument, "{e}");
}
