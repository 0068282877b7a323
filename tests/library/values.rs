//! Files of values of any type: of numbers that a model has, and of some that it has not.

use std::io::Cursor;
use std::num::NonZeroUsize;

use bbans::data::{Element, Kind, Layout, Target};
use bbans::nn::description::{Step, Values};
use bbans::{DataReader, ErrorKind, FileModel, Options, Result, VaeModel};
use ndarray::ArrayD;
use proptest::prelude::*;

use crate::support::arrays::{elements, idx_of, is_float, is_signed, npy_of, raw_of, value};
use crate::support::graphs::numbers_model_file;
use crate::support::{bytes, grey_data, idx, npy_with};
use crate::symbol_models::Restored;
use crate::ways;

/// The lowest number, the step and how many numbers there are.
type Of = (i64, u32, usize);

/// Numbers that a type has.
fn numbers_of(kind: Kind) -> Of {
    match kind {
        Kind::Bool => (0, 1, 2),
        kind if is_signed(kind) => (-5, 2, 9),
        _ => (3, 2, 9),
    }
}

pub(crate) fn model((lowest, step, levels): Of, shape: &[usize]) -> VaeModel {
    let file = numbers_model_file(shape, levels, lowest, step);
    VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap()
}

/// The values of data that the model draws.
pub(crate) fn drawn(model: &VaeModel, element: Element, count: usize) -> ArrayD<Vec<u8>> {
    let Values::Numbers(Step { lowest, step }) = model.values() else {
        panic!("a model of tables");
    };
    let data = bbans::sample(model, count, 4, 0).unwrap();
    let number = |symbol: u16| (lowest + i64::from(step) * i64::from(symbol)) as f64;
    let values = data.iter().map(|&symbol| value(element, number(symbol)));
    let shape = [&[count], model.shape()].concat();
    ArrayD::from_shape_vec(shape, values.collect()).unwrap()
}

/// The first values, and others, are none that the numbers of the type are.
pub(crate) fn put_odd_ones(values: &mut ArrayD<Vec<u8>>, element: Element) {
    let (lowest, step, levels) = numbers_of(element.kind);
    let lowest = lowest as f64;
    let beyond = lowest + f64::from(step) * levels as f64;
    let mut odd: Vec<Vec<u8>> = [lowest - 1.0, lowest + 1.0, beyond, f64::MAX, f64::MIN]
        .map(|number| value(element, number))
        .to_vec();
    match element.kind {
        Kind::Bool => odd = vec![vec![2], vec![255], vec![3]],
        kind if is_float(kind) => {
            let floats = [0.5, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-40];
            odd.extend(floats.map(|number| value(element, number)));
            odd.push(vec![255; element.size()]);
        }
        _ => {}
    }
    let count = values.len();
    let last = values.iter_mut().nth(count - 1).unwrap();
    last.clone_from(&odd[0]);
    let places = values.iter_mut().enumerate();
    let places = places.filter(|(i, _)| *i < 2 || i % 17 == 0);
    places
        .zip(&odd)
        .for_each(|((_, place), odd)| place.clone_from(odd));
}

/// Compresses the values of a stream without a header.
fn compress_raw(
    model: &impl FileModel,
    content: Vec<u8>,
    shape: &[usize],
    element: Element,
    options: Options,
) -> Result<Vec<u8>> {
    let reader = DataReader::raw(Cursor::new(content), shape.to_vec(), element)?;
    let mut file = Vec::new();
    bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    Ok(file)
}

/// Blocks of four data, and a trailer.
pub(crate) fn small_blocks() -> Options {
    Options {
        block: NonZeroUsize::new(4),
        ..ways()[0]
    }
}

fn comes_back(model: &impl FileModel, content: &[u8], options: Options) {
    let file = bbans::compress_bytes(model, content, options).unwrap();
    let restored = bbans::decompress_bytes(model, &file, options).unwrap();
    let start = String::from_utf8_lossy(&content[..content.len().min(80)]).into_owned();
    assert!(restored == content, "{start} {options:?}");
}

/// Every type in every kind of file, of 1 to 4 axes, in either order; with exceptions and without.
#[test]
fn values_of_every_type_come_back() {
    let [plain, particles, _, _, _, _, independent] = ways();
    for element in elements() {
        for shape in [&[30][..], &[6, 5], &[2, 5, 3]] {
            let model = model(numbers_of(element.kind), shape);
            let mut values = drawn(&model, element, 40);
            for odd in [false, true] {
                if odd {
                    put_odd_ones(&mut values, element);
                }
                let flat = values.clone().into_shape_with_order(vec![1200]).unwrap();
                for options in [plain, particles, independent, small_blocks()] {
                    for values in [&values, &flat] {
                        for fortran in [false, true] {
                            comes_back(&model, &npy_of(values, element, fortran), options);
                        }
                        if let Some(content) = idx_of(values, element) {
                            comes_back(&model, &content, options);
                        }
                    }
                    let content = raw_of(&values);
                    let file =
                        compress_raw(&model, content.clone(), shape, element, options).unwrap();
                    let restored = bbans::decompress_bytes(&model, &file, options).unwrap();
                    assert!(restored == content, "{} {options:?}", element.name());
                }
            }
        }
    }
}

/// A header that says no more than the other fields is not kept in a lean file; any other is.
#[test]
fn headers_as_numpy_writes_them_are_not_kept() {
    let element = Element::of_name("f64be").unwrap();
    let model = model((-5, 2, 9), &[6, 5]);
    let values = drawn(&model, element, 40);
    let dictionary = "{'descr': '>f8', 'fortran_order': False, 'shape': (40, 6, 5)}";
    for (content, kept) in [
        (npy_of(&values, element, false), false),
        (npy_of(&values, element, true), false),
        (npy_with(dictionary, &raw_of(&values)), true),
    ] {
        let file = bbans::compress_bytes(&model, &content, ways()[0]).unwrap();
        let found = file.windows(5).any(|bytes| bytes == b"NUMPY");
        assert_eq!(found, kept);
        comes_back(&model, &content, ways()[0]);
    }
}

/// More data than a block has.
#[test]
fn blocks_of_values_come_back() {
    let model = model((-5, 2, 9), &[6, 5]);
    let element = Element::of_name("i16be").unwrap();
    let mut values = drawn(&model, element, 5003);
    put_odd_ones(&mut values, element);
    for options in [ways()[0], ways()[6]] {
        for fortran in [false, true] {
            comes_back(&model, &npy_of(&values, element, fortran), options);
        }
        comes_back(&model, &idx_of(&values, element).unwrap(), options);
        let content = raw_of(&values);
        let file = compress_raw(&model, content.clone(), &[6, 5], element, options).unwrap();
        assert!(bbans::decompress_bytes(&model, &file, options).unwrap() == content);
    }
}

/// Of a set all data come back, in an order of their own: the same one from whatever order they had.
#[test]
fn sets_of_values_come_back() {
    let model = model((-5, 2, 9), &[6, 5]);
    for name in ["f32", "i64be"] {
        let element = Element::of_name(name).unwrap();
        let mut values = drawn(&model, element, 40);
        put_odd_ones(&mut values, element);
        let reversed = values.slice_each_axis(|axis| match axis.axis.index() {
            0 => ndarray::Slice::new(0, None, -1),
            _ => ndarray::Slice::from(..),
        });
        let size = 30 * element.size();
        let rows = |content: &[u8]| {
            let start = content.len() % size;
            let mut rows: Vec<_> = content[start..].chunks(size).map(<[u8]>::to_vec).collect();
            rows.sort();
            rows
        };
        for options in &ways()[3..6] {
            let restored = [&values, &reversed.to_owned()].map(|values| {
                let content = npy_of(values, element, false);
                let file = bbans::compress_bytes(&model, &content, *options).unwrap();
                bbans::decompress_bytes(&model, &file, *options).unwrap()
            });
            assert!(restored[0] == restored[1]);
            let expected = npy_of(&values, element, false);
            assert!(rows(&restored[0]) == rows(&expected));
            // The same data in the other order of axes.
            let content = npy_of(&values, element, true);
            let file = bbans::compress_bytes(&model, &content, *options).unwrap();
            let found = bbans::decompress_bytes(&model, &file, *options).unwrap();
            assert_eq!(found.len(), content.len());
        }
    }
}

/// Some data are a file of the same kind, with their own exceptions and no others.
#[test]
fn a_part_is_a_file_of_the_same_type() {
    let model = model((-5, 2, 9), &[6, 5]);
    for name in ["i8", "i32be", "f32be", "f64"] {
        let element = Element::of_name(name).unwrap();
        let mut values = drawn(&model, element, 12);
        put_odd_ones(&mut values, element);
        for (fortran, options) in [
            (false, ways()[0]),
            (true, small_blocks()),
            (false, small_blocks()),
            (true, ways()[6]),
        ] {
            let content = npy_of(&values, element, fortran);
            let file = bbans::compress_bytes(&model, &content, options).unwrap();
            for range in (0..12).flat_map(|start| (start + 1..13).map(move |end| start..end)) {
                let restored = Restored::default();
                let target = Target::Stream(Box::new(restored.clone()));
                let mut input = Cursor::new(&file);
                let of_file = range.start as u64..range.end as u64;
                bbans::decompress_range(&model, &mut input, of_file, target).unwrap();
                let part = values.slice_axis(ndarray::Axis(0), range.clone().into());
                let expected = npy_of(&part.to_owned(), element, fortran);
                assert!(restored.take() == expected, "{name} {fortran} {range:?}");
            }
        }
    }
}

/// Of 8 values one may be none of the model's, and one more of a block.
#[test]
fn many_values_that_the_model_has_not_are_refused() {
    let model = model((-5, 2, 9), &[6, 5]);
    for (name, odd) in [
        ("f32", f64::NAN),
        ("f64be", 0.5),
        ("i32", 1e9),
        ("u16", 0.0),
    ] {
        let element = Element::of_name(name).unwrap();
        let mut values = drawn(&model, element, 8);
        if !is_signed(element.kind) {
            // Those below 0 became others.
            values.fill(value(element, 1.0));
        }
        for (count, fits) in [(31, true), (32, false), (240, false)] {
            let places = values.iter_mut().skip(240 - count);
            places.for_each(|place| *place = value(element, odd));
            for options in ways() {
                let content = npy_of(&values, element, false);
                let compressed = bbans::compress_bytes(&model, &content, options);
                if fits {
                    assert!(compressed.is_ok());
                    continue;
                }
                let e = compressed.unwrap_err();
                assert_eq!(e.kind(), ErrorKind::InvalidArgument);
                let expected = format!("{count} of 240 values are none that the model numbers has");
                assert!(e.to_string().contains(&expected), "{e}");
            }
        }
    }
}

#[test]
fn version_1_has_no_room_for_values() {
    let first = Options {
        format: 1,
        ..ways()[0]
    };
    let refused = |model: &VaeModel, content: &[u8]| {
        let e = bbans::compress_bytes(model, content, first).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidArgument);
        assert!(e.to_string().contains("version 1"), "{e}");
    };
    let of_bytes = idx(&grey_data(20, 9, 1), &[6, 5], 1);
    let element = Element::of_name("i16").unwrap();
    let model_of_bytes = model((0, 1, 9), &[6, 5]);
    assert!(bbans::compress_bytes(&model_of_bytes, &of_bytes, first).is_ok());
    let values = drawn(&model_of_bytes, element, 20);
    refused(&model_of_bytes, &npy_of(&values, element, false));
    // Values that are none of the model's have no place in it.
    refused(&model((1, 1, 9), &[6, 5]), &of_bytes);
}

#[test]
fn streams_that_are_no_data_are_refused() {
    let model = model((-5, 2, 9), &[6, 5]);
    let element = Element::of_name("i16").unwrap();
    let options = ways()[0];
    let refused = |content: Vec<u8>, shape: &[usize], expected: &str| {
        let e = compress_raw(&model, content, shape, element, options).unwrap_err();
        assert!(e.to_string().contains(expected), "{e}");
    };
    refused(vec![1; 61], &[6, 5], "multiple of 60 bytes");
    refused(vec![1; 60], &[], "shape");
    refused(vec![1; 60], &[0, 5], "shape");
    refused(vec![1; 60], &[5, 6], "shape");
    let flat = vec![value(element, 1.0); 31];
    let flat = ArrayD::from_shape_vec(vec![31], flat).unwrap();
    let e = bbans::compress_bytes(&model, &npy_of(&flat, element, false), options).unwrap_err();
    assert!(e.to_string().contains("multiple of 30"), "{e}");
    let empty = compress_raw(&model, vec![], &[6, 5], element, options).unwrap();
    assert_eq!(
        bbans::decompress_bytes(&model, &empty, options).unwrap(),
        b""
    );
}

/// Pixels are numbers, too.
#[test]
fn pictures_of_a_model_of_numbers_come_back() {
    let model = model((10, 20, 9), &[6, 5]);
    let data = bbans::sample(&model, 1, 3, 0).unwrap();
    let pixels = bytes(&data.mapv(|symbol| 10 + 20 * symbol));
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, 5, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    let file = bbans::compress_bytes(&model, &picture, ways()[0]).unwrap();
    let restored = bbans::decompress_bytes(&model, &file, ways()[0]).unwrap();
    let mut reader = DataReader::open(Cursor::new(restored), "x.png").unwrap();
    assert!(matches!(reader.source().layout, Layout::Png { .. }));
    let rows = reader.read(1).unwrap();
    assert_eq!(
        rows.symbols,
        pixels.into_iter().map(u16::from).collect::<Vec<_>>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any bytes as values of any type: refused, or restored.
    #[test]
    fn any_values_come_back_or_are_refused(
        which in 0usize..19, fortran: bool, way in 0usize..7,
        odd in prop::collection::vec((0usize..120, any::<[u8; 8]>()), 0..20),
    ) {
        let element = elements().nth(which).unwrap();
        let model = model(numbers_of(element.kind), &[6, 5]);
        let mut values = drawn(&model, element, 4);
        for (at, bytes) in odd {
            *values.iter_mut().nth(at).unwrap() = bytes[..element.size()].to_vec();
        }
        let content = npy_of(&values, element, fortran);
        let options = ways()[way];
        if let Ok(file) = bbans::compress_bytes(&model, &content, options) {
            let restored = bbans::decompress_bytes(&model, &file, options).unwrap();
            prop_assert!(options.unordered || restored == content);
        }
    }
}
