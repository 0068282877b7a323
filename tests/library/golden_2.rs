//! Files of version 2 of the container, and what they must restore.

use std::fs;

use bbans::block::{Coder, Way};
use bbans::container::{Check, Extra, Framing, Header, StoredBlock, Trailer};
use bbans::{DataReader, FileModel, Options, VaeModel};

use crate::support::{TINY_SHAPE, amat, bytes, golden, grey_data, idx, npy, tiny_data};
use crate::ways;

/// Name of the file, its model, the data file, and how it is coded.
struct Case {
    name: &'static str,
    of: &'static str,
    model: VaeModel,
    content: Vec<u8>,
    options: Options,
}

fn model(name: &str) -> VaeModel {
    let path = golden().join(name).with_extension("safetensors");
    VaeModel::from_bytes(&fs::read(path).unwrap()).unwrap()
}

fn cases() -> Vec<Case> {
    let [
        plain,
        particles,
        uncoupled,
        set,
        set_of_particles,
        _,
        independent,
    ] = ways();
    let own = |model: &VaeModel, count| bbans::sample(model, count, 1, 0).unwrap();
    let case = |name, of, options, content: &dyn Fn(&VaeModel) -> Vec<u8>| {
        let model = model(of);
        let content = content(&model);
        Case {
            name,
            of,
            model,
            content,
            options,
        }
    };
    let idx_of = |count: usize| move |model: &VaeModel| idx(&own(model, count), &TINY_SHAPE, 1);
    // As NumPy writes it.
    let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (60, 6, 5), }";
    let text = format!("{text:117}\n");
    let npy_of = |model: &VaeModel| {
        let header = [&b"\x93NUMPY\x01\0v\0"[..], text.as_bytes()].concat();
        [header, bytes(&own(model, 60))].concat()
    };
    let odd_npy_of = |model: &VaeModel| npy(&own(model, 60), &TINY_SHAPE);
    let amat_of = |model: &VaeModel| amat(&own(model, 60), ",", "\r\n")[..60 * 61 - 2].to_vec();
    let even = |_: &VaeModel| idx(&tiny_data(30, 2), &TINY_SHAPE, 255);
    let equal = |model: &VaeModel| idx(&grey_data(40, model.levels().min(3), 1), &TINY_SHAPE, 1);
    let none = |_: &VaeModel| idx(&ndarray::Array2::zeros((0, 30)), &TINY_SHAPE, 1);
    vec![
        case("one", "graphs/causal", plain, &idx_of(1)),
        case("lean", "tiny", plain, &npy_of),
        case("lean-odd-header", "tiny", plain, &odd_npy_of),
        case("lean-amat", "tiny", plain, &amat_of),
        case("packed", "tiny", plain, &even),
        case("none", "tiny", plain, &none),
        case("particles", "tiny", particles, &idx_of(40)),
        case("particles-groups", "grey/hierarchy", particles, &idx_of(9)),
        case("particles-causal", "grey/causal", particles, &idx_of(9)),
        case("uncoupled", "tiny", uncoupled, &idx_of(40)),
        case("uncoupled-groups", "grey/hierarchy", uncoupled, &idx_of(5)),
        case("set", "tiny", set, &idx_of(60)),
        case("set-particles", "grey/logistic", set_of_particles, &equal),
        case("independent", "graphs/causal", independent, &idx_of(5)),
        case("independent-packed", "tiny", independent, &even),
        case("groups", "grey/hierarchy", plain, &idx_of(30)),
        case("groups-set", "grey/hierarchy", set, &idx_of(100)),
        case("causal", "graphs/causal", plain, &idx_of(9)),
    ]
}

fn written(case: &Case) -> Vec<u8> {
    bbans::compress_bytes(&case.model, &case.content, case.options).unwrap()
}

/// Two blocks and a trailer, as files of many data have them: one begins with points, one with initial words.
struct Blocks {
    name: &'static str,
    of: &'static str,
    model: VaeModel,
    content: Vec<u8>,
    file: Vec<u8>,
}

fn all_blocks() -> [Blocks; 4] {
    let [plain, particles, _, set, ..] = ways();
    [
        blocks("blocks", "tiny", plain),
        // Which a file would have packed.
        blocks("blocks-masses", "graphs/far", particles),
        blocks("blocks-groups", "graphs/ladder", plain),
        blocks("blocks-set", "tiny", set),
    ]
}

fn blocks(name: &'static str, of: &'static str, options: Options) -> Blocks {
    let model = model(of);
    let data = bbans::sample(&model, 70, 1, 0).unwrap();
    let mut restored: Vec<Vec<u16>> = data.rows().into_iter().map(|row| row.to_vec()).collect();
    if options.unordered {
        restored[..40].sort();
        restored[40..].sort();
    }
    let restored = ndarray::Array2::from_shape_vec(data.dim(), restored.concat()).unwrap();
    let content = idx(&restored, &TINY_SHAPE, 1);
    let mut reader = DataReader::open(std::io::Cursor::new(content.clone()), "").unwrap();
    let way = Way {
        particles: options.particles,
        unordered: options.unordered,
        ..Way::plain(options.lanes)
    }
    .whitened(&model);
    let header = Header {
        version: 2,
        framing: Framing::Blocks,
        fingerprint: model.fingerprint(),
        model_name: model.name().into(),
        way,
        block_len: 40,
        source: reader.source().clone(),
        stored: bbans::container::Stored::default(),
        model: None,
    };
    let coder = Coder::new(&model, way);
    let [first, second] =
        [0..40, 40..70].map(|rows| data.slice_axis(ndarray::Axis(0), ndarray::Slice::from(rows)));
    let blocks = [
        coder.encode_with_points(first, 0).unwrap().unwrap(),
        coder.encode(second).unwrap(),
    ];
    assert!(blocks[0].plan.points > 0);
    let extra = Extra {
        scale: 1,
        exceptions: vec![],
    };
    let mut file = header.to_bytes().unwrap();
    let mut table = Vec::new();
    for block in &blocks {
        let bytes = StoredBlock::to_bytes(&header, block, &extra, 30).unwrap();
        table.push((block.plan.count as u64, bytes.len() as u64));
        file.extend(bytes);
    }
    while reader.read(100).unwrap().count > 0 {}
    let end = reader.finish();
    let trailer = Trailer {
        count: 70,
        blocks: table,
        cut: end.cut,
        check: Check::Digest(end.digest),
    };
    file.extend(trailer.to_bytes().unwrap());
    Blocks {
        name,
        of,
        model,
        content,
        file,
    }
}

fn path(name: &str) -> std::path::PathBuf {
    golden().join(format!("v2/{name}.bbans"))
}

#[test]
fn files_of_version_2_decode_and_are_still_written_so() {
    for case in cases() {
        let file = fs::read(path(case.name)).unwrap();
        let found = bbans::decompress_bytes(&case.model, &file, case.options).unwrap();
        if case.options.unordered {
            let rows = |content: &[u8]| {
                let start = content.len() % 30;
                let mut rows: Vec<Vec<u8>> =
                    content[start..].chunks(30).map(<[u8]>::to_vec).collect();
                rows.sort();
                rows
            };
            assert_eq!(rows(&found), rows(&case.content), "{}", case.name);
        } else {
            assert_eq!(found, case.content, "{}", case.name);
        }
        assert!(written(&case) == file, "{}: other bytes", case.name);
    }
    for blocks in all_blocks() {
        assert_eq!(fs::read(path(blocks.name)).unwrap(), blocks.file);
        let found = bbans::decompress_bytes(&blocks.model, &blocks.file, Options::default());
        assert_eq!(found.unwrap(), blocks.content);
    }
}

/// Model files and the files that were written with them.
pub(crate) fn pairs() -> Vec<[std::path::PathBuf; 2]> {
    let names = cases().into_iter().map(|case| (case.of, case.name));
    let names = names.chain(all_blocks().map(|blocks| (blocks.of, blocks.name)));
    let pair = |(of, name)| [golden().join(of).with_extension("safetensors"), path(name)];
    names.map(pair).collect()
}

#[test]
#[ignore = "writes into the source tree"]
fn write_missing_golden_files() {
    let files = cases().into_iter().map(|case| (case.name, written(&case)));
    for (name, bytes) in files.chain(all_blocks().map(|blocks| (blocks.name, blocks.file))) {
        if !path(name).exists() {
            fs::write(path(name), bytes).unwrap();
        }
    }
}
