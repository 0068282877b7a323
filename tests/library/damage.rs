//! Damaged and forged files: always an error, never a panic, never wrong data taken for right.

use bbans::{DataReader, ErrorKind, FileModel, Options};
use proptest::prelude::*;

use crate::support::{
    TINY_SHAPE, amat, idx, npy, npy_with, tiny_data, tiny_model, tiny_model_file,
};
use crate::{compress, decompress};

/// Whatever bit of a file is turned over is noticed, or does no harm, such as in a growth rate that gives the same widths;
/// and so is every cut.
pub(crate) fn is_noticed(model: &impl FileModel, file: &[u8], options: Options) {
    let restored = |file: &[u8]| bbans::decompress_bytes(model, file, options);
    let expected = restored(file).unwrap();
    for bit in 0..8 * file.len() {
        let mut damaged = file.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let found = restored(&damaged);
        let harmless = found.as_ref().is_ok_and(|restored| *restored == expected);
        assert!(
            found.is_err() || harmless,
            "bit {bit} of {} {options:?}",
            file.len()
        );
    }
    for len in 0..file.len() {
        assert!(restored(&file[..len]).is_err(), "{len} {options:?}");
    }
}

fn small_file() -> (Vec<u8>, Vec<u8>) {
    let content = idx(&tiny_data(9, 3), &TINY_SHAPE, 1);
    let (file, _) = compress(&tiny_model(), &content, 4, 1).unwrap();
    (content, file)
}

#[test]
fn every_flipped_bit_is_noticed() {
    let model = tiny_model();
    let (_, file) = small_file();
    for bit in 0..8 * file.len() {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(decompress(&model, &damaged, 1).is_err(), "bit {bit}");
    }
}

#[test]
fn every_cut_is_noticed() {
    let model = tiny_model();
    let (content, file) = small_file();
    for len in 0..file.len() {
        assert!(
            decompress(&model, &file[..len], 1).is_err(),
            "cut to {len} bytes"
        );
    }
    assert_eq!(decompress(&model, &file, 1).unwrap(), content);
}

/// A forger keeps the checksum: what is within must then be refused on its own.
#[test]
fn forged_blocks_are_refused() {
    use bbans::block::{Plan, Way, decode};
    let model = tiny_model();
    let data = tiny_data(60, 3);
    let block = bbans::block::encode(&model, data.view(), 4).unwrap();
    let good = block.plan;
    let lanes = |lanes| Plan {
        way: Way::plain(lanes),
        ..good
    };
    for plan in [
        Plan { count: 61, ..good },
        Plan { count: 0, ..good },
        Plan {
            count: usize::MAX,
            ..good
        },
        lanes(0),
        lanes(1),
        lanes(usize::MAX),
        Plan {
            growth: good.growth + 100,
            ..good
        },
        Plan {
            initial_words: good.initial_words + 1,
            ..good
        },
        Plan {
            initial_words: usize::MAX,
            ..good
        },
    ] {
        assert!(
            decode(&model, plan, block.words.clone()).is_err(),
            "{plan:?}"
        );
    }
    assert_eq!(decode(&model, good, block.words.clone()).unwrap(), data);
    for i in 0..block.words.len() {
        let mut words = block.words.clone();
        words[i] ^= 1 << (i % 32);
        let decoded = decode(&model, good, words);
        assert!(
            decoded.is_err_and(|e| e.kind() == ErrorKind::Corruption),
            "word {i}"
        );
    }
}

#[test]
fn another_model_is_refused_and_named() {
    let (_, file) = small_file();
    let other = tiny_model_file("other", 8).to_bytes().unwrap();
    let other = bbans::VaeModel::from_bytes(&other).unwrap();
    let e = decompress(&other, &file, 1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Compatibility);
    assert!(
        e.to_string().contains("tiny") && e.to_string().contains("other"),
        "{e}"
    );
}

#[test]
fn a_later_version_is_refused_and_named() {
    let (_, mut file) = small_file();
    file[8] = bbans::container::VERSION + 1;
    let e = decompress(&tiny_model(), &file, 1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Compatibility);
    assert!(e.to_string().contains("version 5"), "{e}");
}

/// Files of version 2 come back: coded, with particles, and of data that the model would make larger.
#[test]
fn version_2_restores_whatever_the_model_makes_of_it() {
    let bytes = std::fs::read(crate::support::golden().join("grey/logistic.safetensors")).unwrap();
    let logistic = bbans::VaeModel::from_bytes(&bytes).unwrap();
    // Even bits, of which the tiny model makes more.
    for (model, particles, packed) in [(&logistic, 1, 0), (&logistic, 3, 0), (&tiny_model(), 1, 1)]
    {
        let data = match packed {
            0 => bbans::sample(model, 300, 3, 0).unwrap(),
            _ => tiny_data(300, 3),
        };
        let content = idx(&data, model.shape(), 1);
        let options = bbans::Options {
            format: 2,
            particles,
            ..bbans::Options::default()
        };
        let reader = DataReader::open(std::io::Cursor::new(content.clone()), "").unwrap();
        let mut file = Vec::new();
        let report = bbans::compress(model, reader, &mut file, options, &mut |_| {}).unwrap();
        assert_eq!(report.packed_blocks, packed);
        assert_eq!(report.file_bytes, file.len() as u64);
        assert!(decompress(model, &file, 1).unwrap() == content);
        let bits = u64::from(bbans::container::Packed::bits_of(model.levels()));
        let raw = (bits * data.len() as u64).div_ceil(8);
        assert!(report.file_bytes <= raw + raw / 1000 + 300);
        for at in (0..file.len()).step_by(31) {
            let mut other = file.clone();
            other[at] ^= 1 << (at % 8);
            // The name alone is nobody's business but the reader's.
            if let Ok(found) = decompress(model, &other, 1) {
                assert!(found == content, "{at}");
            }
        }
    }
    // Version 1 has no room for these.
    let model = tiny_model();
    let content = idx(&tiny_data(9, 3), &TINY_SHAPE, 255);
    let reader = DataReader::open(std::io::Cursor::new(content), "").unwrap();
    let options = bbans::Options {
        format: 1,
        particles: 3,
        ..bbans::Options::default()
    };
    let refused = bbans::compress(&model, reader, &mut Vec::new(), options, &mut |_| {});
    assert!(refused.unwrap_err().to_string().contains("version 2"));
}

fn open_error(content: Vec<u8>) -> String {
    let opened = DataReader::open(std::io::Cursor::new(content), "x.png");
    let read = opened.and_then(|mut reader| {
        while reader.read(7)?.count > 0 {}
        Ok(())
    });
    format!("{:#}", read.expect_err("this is no data"))
}

#[test]
fn data_files_that_lie_are_refused() {
    let data = tiny_data(9, 3);
    let whole = idx(&data, &TINY_SHAPE, 1);
    let mut huge = whole.clone();
    huge[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    let mut wide = whole.clone();
    wide[8..16].copy_from_slice(&[255; 8]);
    let mut no_type = whole.clone();
    no_type[2] = 0x0a;
    let lies = [
        ("end", whole[..whole.len() - 1].to_vec()),
        ("end", huge),
        ("limit", wide),
        ("goes on", [whole.as_slice(), &[0]].concat()),
        ("0x0a", no_type),
        ("header", whole[..7].to_vec()),
        (
            "<c8",
            npy_with(
                "{'descr': '<c8', 'fortran_order': False, 'shape': (9, 30), }",
                &[0; 2160],
            ),
        ),
        (
            "end",
            npy_with(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976, 30), }",
                &[0; 99],
            ),
        ),
        ("header", npy(&data, &TINY_SHAPE)[..40].to_vec()),
        ("8 axes", npy(&data, &[1, 1, 1, 1, 1, 1, 1, 6, 5])),
        ("line 2", b"0 1 1\n0 1\n".to_vec()),
        ("line 2", b"0 1 1\n0 1 2\n".to_vec()),
        ("line 2", b"0 1 1\n\n".to_vec()),
        ("no data format", b"hello, \xffworld".to_vec()),
        ("table", b"hello, world".to_vec()),
        ("PNG", b"\x89PNG\r\n\x1a\n and no more".to_vec()),
        (
            "PNG",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xeb\0\0\0\x8b\x71\0\0".to_vec(),
        ),
    ];
    for (expected, content) in lies {
        let e = open_error(content);
        assert!(e.contains(expected), "expected {expected:?} in: {e}");
    }
}

#[test]
fn odd_layouts_come_back_byte_for_byte() {
    let model = tiny_model();
    let data = tiny_data(33, 5);
    let mut no_end = amat(&data, " ", "\n");
    no_end.pop();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, &idx(&data, &TINY_SHAPE, 1)).unwrap();
    let gz = gz.finish().unwrap();
    for (content, restored) in [
        (amat(&data, "\t", "\r\n"), None),
        (amat(&data, ";", ";\n"), None),
        (no_end, None),
        (idx(&data, &[30], 7), None),
        (npy(&data, &[30]), None),
        (Vec::new(), None),
        (gz, Some(idx(&data, &TINY_SHAPE, 1))),
    ] {
        let (file, _) = compress(&model, &content, 8, 1).unwrap();
        let restored = restored.unwrap_or(content);
        assert_eq!(decompress(&model, &file, 1).unwrap(), restored);
    }
}

/// Text with a last line end of one of two bytes: it must be restored so, or be refused.
#[test]
fn half_a_line_end_is_restored_or_refused() {
    let mut text = amat(&tiny_data(5, 1), " ", "\r\n");
    text.pop();
    match compress(&tiny_model(), &text, 2, 1) {
        Ok((file, _)) => assert_eq!(decompress(&tiny_model(), &file, 1).unwrap(), text),
        Err(e) => assert_eq!(e.kind(), ErrorKind::InvalidArgument),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What a fuzzer would try first.
    #[test]
    fn parsers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), start in 0usize..7) {
        let model = tiny_model();
        let starts: [&[u8]; 7] = [
            b"", &bbans::container::MAGIC, b"\x93NUMPY\x01\x00", b"\0\0\x08\x03", b"0 1 1 0\n",
            b"\x1f\x8b\x08\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        ];
        let content = [starts[start], &bytes].concat();
        let _ = decompress(&model, &content, 1);
        let _ = bbans::VaeModel::from_bytes(&content);
        if let Ok((file, _)) = compress(&model, &content, 3, 1) {
            prop_assert_eq!(decompress(&model, &file, 1).unwrap(), content);
        }
    }

    /// Bits flipped within the model file: an error, or a model that still works.
    #[test]
    fn damaged_models_never_panic(at in 0usize..9000, bit in 0u32..8) {
        let mut bytes = std::fs::read(crate::support::golden().join("tiny.safetensors")).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(model) = bbans::VaeModel::from_bytes(&bytes) {
            let content = idx(&tiny_data(5, 1), &TINY_SHAPE, 1);
            if let Ok((file, _)) = compress(&model, &content, 3, 1) {
                prop_assert_eq!(decompress(&model, &file, 1).unwrap(), content);
            }
        }
    }
}

/// What a reader refuses no writer writes; what is just within is taken by both.
#[test]
fn the_limits_of_the_container_hold_both_ways() {
    use bbans::block::{Block, Plan, Way};
    use bbans::container::{
        Content, Extra, Framing, Header, MAX_BLOCK_SYMBOLS, MAX_DIMS, Part, Parts, StoredBlock,
    };
    use bbans::data::Layout;
    let header = |block_len: usize, shape: Vec<usize>| Header {
        version: 1,
        framing: Framing::Blocks,
        fingerprint: [7; 32],
        model_name: "none".into(),
        way: Way::plain(2),
        block_len,
        source: bbans::Source {
            shape,
            layout: Layout::Amat {
                separator: b' ',
                trailing: false,
                crlf: false,
            },
        },
        stored: bbans::container::Stored::default(),
        model: None,
    };
    for (block_len, shape, fits) in [
        (MAX_BLOCK_SYMBOLS / 64, vec![8, 8], true),
        (MAX_BLOCK_SYMBOLS / 64, vec![8, 9], false),
        (1, vec![MAX_DIMS], true),
        (2, vec![MAX_DIMS], false),
        (1, vec![MAX_DIMS, 2], false),
        (1, vec![usize::MAX, 2], false),
    ] {
        let header = header(block_len, shape);
        let written = header.to_bytes();
        assert_eq!(written.is_ok(), fits, "{header:?}");
        if let Ok(bytes) = written {
            assert_eq!(Header::read(&mut bytes.as_slice()).unwrap(), Some(header));
        }
    }
    // 3 initial words, 2 lanes, 2 data of 5 values: 3 + 4 + 2 * (3 + 10) words.
    let header = header(2, vec![5]);
    let extra = Extra {
        scale: 1,
        exceptions: vec![],
    };
    for (words, fits) in [(33, true), (34, false)] {
        let plan = Plan {
            way: Way::plain(2),
            count: 2,
            points: 0,
            initial_words: 3,
            growth: 64,
        };
        let block = Block {
            plan,
            words: vec![9; words],
            net_bits: 0.0,
            point_bits: 0.0,
        };
        assert_eq!(
            StoredBlock::to_bytes(&header, &block, &extra, 5).is_ok(),
            fits,
            "{words}"
        );
        // As a writer would that has more room.
        let bytes = StoredBlock::to_bytes(&header, &block, &extra, 500).unwrap();
        let mut input = bytes.as_slice();
        let read = Parts::new(&mut input, &header).unwrap().read();
        assert_eq!(read.is_ok(), fits, "{words}");
        if let Ok(part) = read {
            assert!(matches!(
                part,
                Part::Block(StoredBlock { content: Content::Message { words, .. }, .. }) if words == block.words
            ));
        }
    }
}

/// A table of other blocks would lead a program that seeks astray.
#[test]
fn a_trailer_of_other_blocks_is_refused() {
    use bbans::container::{Check, Header, Part, Parts, StoredBlock, Trailer};
    let model = tiny_model();
    let content = idx(&tiny_data(5_010, 3), &TINY_SHAPE, 1);
    let (file, _) = compress(&model, &content, 4, 1).unwrap();
    let mut input = file.as_slice();
    let header = Header::read(&mut input).unwrap().unwrap();
    let start = file.len() - input.len();
    let mut parts = Parts::new(&mut input, &header).unwrap();
    let mut good: Option<Trailer> = None;
    while good.is_none() {
        match parts.read().unwrap() {
            Part::Block(StoredBlock { .. }) => {}
            Part::Trailer(trailer) => good = Some(trailer),
        }
    }
    let good = good.unwrap();
    let blocks: u64 = good.blocks.iter().map(|b| b.1).sum();
    let before = &file[..start + blocks as usize];
    assert_eq!(good.blocks.len(), 2);
    assert_eq!([before, &good.to_bytes().unwrap()].concat(), file);
    for change in [
        |t: &mut Trailer| t.blocks[0].1 += 1,
        |t: &mut Trailer| t.blocks.swap(0, 1),
        |t: &mut Trailer| t.count += 1,
        |t: &mut Trailer| t.blocks.truncate(1),
        |t: &mut Trailer| t.blocks.push((1, 9)),
        |t: &mut Trailer| t.check = Check::Digest([5; 32]),
        |t: &mut Trailer| t.cut = 1,
    ] {
        let mut trailer = good.clone();
        change(&mut trailer);
        let forged = [before, &trailer.to_bytes().unwrap()].concat();
        assert!(decompress(&model, &forged, 1).is_err(), "{trailer:?}");
    }
}
