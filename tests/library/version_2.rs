//! Container 2: whitening, particles, points, sets, lean files, independent data.

use bbans::block::Way;
use bbans::container::{Framing, Header, Stored};
use bbans::data::{Color, Layout, Names, Pictures, PngKind};
use bbans::{DataReader, ErrorKind, FileModel, Options, VaeModel};
use ndarray::Array2;

use crate::support::{
    TINY_SHAPE, amat, bytes, grey_data, grey_model_files, hierarchy_model_file, idx, npy, npy_with,
    tiny_data, tiny_model,
};
use crate::ways;

fn models() -> Vec<VaeModel> {
    let of = |file: &bbans::nn::ModelFile| VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let mut models = vec![tiny_model(), of(&hierarchy_model_file())];
    models.extend(grey_model_files().iter().map(of));
    models
}

fn ascending(data: &Array2<u16>) -> Array2<u16> {
    let mut order: Vec<usize> = (0..data.nrows()).collect();
    order.sort_by_key(|&i| data.row(i).to_vec());
    data.select(ndarray::Axis(0), &order)
}

/// Data of the model's own, and others of which many are equal.
fn data_of(model: &VaeModel, count: usize) -> Array2<u16> {
    let mut data = grey_data(count, model.levels(), 3);
    let drawn = count / 2;
    if drawn > 0 {
        let own = bbans::sample(model, drawn, 5, 0).unwrap();
        let first = ndarray::Slice::from(..drawn);
        data.slice_axis_mut(ndarray::Axis(0), first).assign(&own);
        let again = data.row(0).to_owned();
        data.rows_mut()
            .into_iter()
            .step_by(3)
            .for_each(|mut row| row.assign(&again));
    }
    data
}

#[test]
fn every_way_restores_any_count_of_data() {
    for model in models() {
        for count in [0, 1, 2, 9, 100, 530] {
            let data = data_of(&model, count);
            for options in ways() {
                let content = idx(&data, &TINY_SHAPE, 1);
                let file = bbans::compress_bytes(&model, &content, options).unwrap();
                let found = bbans::decompress_bytes(&model, &file, options).unwrap();
                let expected = match options.unordered {
                    true => idx(&ascending(&data), &TINY_SHAPE, 1),
                    false => content,
                };
                assert!(found == expected, "{} {count} {options:?}", model.name());
            }
        }
    }
}

/// The layouts of data files, with what their headers say of the number of data, and files after one another.
#[test]
fn every_layout_is_restored() {
    let model = tiny_model();
    let data = tiny_data(7, 1);
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (7, 6, 5)}";
    let odd = npy_with(text, &bytes(&data));
    let mut wrong = idx(&data, &TINY_SHAPE, 1);
    wrong.pop();
    for content in [
        idx(&data, &TINY_SHAPE, 255),
        npy(&data, &TINY_SHAPE),
        odd,
        amat(&data, " ", "\n"),
        amat(&data, ",", "\r\n")[..7 * 61 - 2].to_vec(),
        vec![],
    ] {
        for options in ways() {
            let file = bbans::compress_bytes(&model, &content, options).unwrap();
            let twice = [file.clone(), file].concat();
            let found = bbans::decompress_bytes(&model, &twice, options).unwrap();
            assert_eq!(found.len(), 2 * content.len());
            if !options.unordered {
                assert!(found[..content.len()] == content && found[content.len()..] == content);
            }
        }
    }
    assert!(bbans::compress_bytes(&model, &wrong, ways()[0]).is_err());
}

/// One checksum is enough.
#[test]
fn every_turned_bit_of_a_file_is_noticed() {
    let model = tiny_model();
    let own = bbans::sample(&model, 12, 1, 0).unwrap();
    for data in [own, tiny_data(3, 1)] {
        for options in ways() {
            let content = idx(&data, &TINY_SHAPE, 1);
            let file = bbans::compress_bytes(&model, &content, options).unwrap();
            crate::damage::is_noticed(&model, &file, options);
        }
    }
}

/// A set costs `log2 n!` bits less than a list, less what the orders of equal data are worth.
#[test]
fn the_order_of_a_set_is_not_paid_for() {
    let file = bbans_models::MODELS[0];
    let model = VaeModel::from_bytes(file.bytes).unwrap();
    let data = bbans::sample(&model, 3000, 1, 0).unwrap();
    let content = idx(&data, &[28, 28], 1);
    let [list, set] = [false, true].map(|unordered| {
        let options = Options {
            format: 2,
            unordered,
            ..Options::default()
        };
        bbans::compress_bytes(&model, &content, options)
            .unwrap()
            .len()
    });
    let saved = 8.0 * (list as f64 - set as f64);
    let expected: f64 = (1..=3000).map(|n| f64::from(n).log2()).sum();
    // A draw of the latents of 3,000 data has a standard deviation of some 300 bits.
    assert!(
        (saved - expected).abs() < 0.04 * expected,
        "{saved} {expected}"
    );
}

/// One datum needs no initial bits: its file is a few bytes longer than its bound.
#[test]
fn a_file_of_one_datum_is_short() {
    let model = VaeModel::from_bytes(bbans_models::MODELS[0].bytes).unwrap();
    let data = bbans::sample(&model, 64, 2, 0).unwrap();
    let bound = bbans::elbo(&model, data.view(), 16, 0, 0).unwrap();
    let bound: f64 = bound.iter().map(bbans::Elbo::bits).sum();
    let (mut files, mut alone) = (0, 0);
    for (datum, independent) in data.outer_iter().flat_map(|d| [(d, false), (d, true)]) {
        let datum = datum.to_owned().insert_axis(ndarray::Axis(0));
        let options = Options {
            format: 2,
            independent,
            ..Options::default()
        };
        let content = idx(&datum, &[28, 28], 1);
        let len = bbans::compress_bytes(&model, &content, options)
            .unwrap()
            .len();
        *if independent { &mut alone } else { &mut files } += len;
    }
    let over = files as f64 / 64.0 - bound / 64.0 / 8.0;
    assert!((50.0..62.0).contains(&over), "{over} bytes over the bound");
    assert!(alone > files);
}

#[test]
fn what_version_1_has_no_room_for_is_refused() {
    let model = tiny_model();
    let content = idx(&tiny_data(3, 1), &TINY_SHAPE, 1);
    for options in &ways()[1..] {
        let options = Options {
            format: 1,
            ..*options
        };
        let refused = bbans::compress_bytes(&model, &content, options).unwrap_err();
        assert!(refused.to_string().contains("version 2"), "{refused}");
    }
    let both = Options {
        particles: 3,
        ..ways()[6]
    };
    assert!(bbans::compress_bytes(&model, &content, both).is_err());
}

/// Ways that do not go together are refused in a header, by its writer and by its reader.
#[test]
fn headers_of_ways_that_no_encoder_has_are_refused() {
    let content = idx(&tiny_data(3, 1), &TINY_SHAPE, 1);
    let reader = DataReader::open(std::io::Cursor::new(content), "x").unwrap();
    let header = |change: &dyn Fn(&mut Header)| {
        let mut header = Header {
            version: 2,
            // Whose header has no checksum.
            framing: Framing::Lean,
            fingerprint: [0; 32],
            model_name: String::new(),
            way: Way::plain(64),
            block_len: 3,
            source: reader.source().clone(),
            stored: Stored::default(),
            model: None,
        };
        change(&mut header);
        header
    };
    let uncoupled = |particles: usize| {
        move |h: &mut Header| (h.way.coupled, h.way.particles) = (false, particles)
    };
    for change in [
        &(|_: &mut Header| ()) as &dyn Fn(&mut Header),
        &uncoupled(2),
        &uncoupled(64),
        &|h| h.way.unordered = true,
        &|h| h.framing = Framing::Independent,
    ] {
        let header = header(change);
        let bytes = header.to_bytes().unwrap();
        assert_eq!(Header::read(&mut &bytes[..]).unwrap(), Some(header));
    }
    for change in [
        &uncoupled(1) as &dyn Fn(&mut Header),
        &uncoupled(65),
        &|h| (h.framing, h.way.unordered) = (Framing::Independent, true),
        &|h| (h.framing, h.way.particles) = (Framing::Independent, 2),
        &|h| {
            h.way.unordered = true;
            h.source.layout = Layout::Png(Pictures {
                kind: PngKind {
                    color: Color::Grey,
                    depth: 8,
                },
                single: true,
                names: Names::new(["x"]).unwrap(),
                chunks: vec![],
            });
        },
    ] {
        let refused = header(change).to_bytes().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
    // After magic, version and length come flags, 8 bytes of the fingerprint, a name of no bytes, lanes, the length of the
    // block, whitened words and particles.
    let bytes = header(&uncoupled(2)).to_bytes().unwrap();
    assert_eq!(bytes[10..11], [9]);
    assert_eq!(bytes[19..24], [0, 64, 3, 0, 2]);
    for (at, value, expected) in [
        (23, 1, ErrorKind::Corruption),
        (23, 65, ErrorKind::Corruption),
        (23, 0, ErrorKind::Corruption),
        (20, 0, ErrorKind::Corruption),
        (10, 13, ErrorKind::Compatibility),
        (10, 25, ErrorKind::Compatibility),
    ] {
        let mut other = bytes.clone();
        other[at] = value;
        let refused = Header::read(&mut &other[..]).unwrap_err();
        assert_eq!(refused.kind(), expected, "{at} {value}: {refused}");
    }
}
