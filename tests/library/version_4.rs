//! Container 4, whose files carry their model; and models without latents, of version 9 of the description.

use std::fs;
use std::io::Cursor;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use bbans::block::{self, Way};
use bbans::container::Header;
use bbans::nn::simd::Path;
use bbans::nn::{Description, ModelFile};
use bbans::{DataReader, ErrorKind, FileModel, LatentModel, Options, Result, VaeModel};
use ndarray::Array2;

use crate::support::archives::{models_without_latents, on_grids};
use crate::support::{golden, npy, tiny_model_file};
use crate::ways;

/// Models that files carry: without latents, and one with, whose weights are as they are.
fn files() -> Vec<ModelFile> {
    let small = models_without_latents().into_iter().map(on_grids);
    small
        .chain([tiny_model_file("archive-with-latents", 7)])
        .collect()
}

fn drawn(model: &VaeModel, count: usize) -> Array2<u16> {
    bbans::sample(model, count, 5, 0).unwrap()
}

fn content(model: &VaeModel, count: usize) -> Vec<u8> {
    npy(&drawn(model, count), model.shape())
}

fn compressed(model: &VaeModel, content: &[u8], options: Options) -> Vec<u8> {
    bbans::compress_bytes(model, content, options).unwrap()
}

/// Restores a file by the model in it.
fn restored(file: &[u8], path: Path) -> Result<Vec<u8>> {
    let header = Header::read(&mut Cursor::new(file))?.unwrap();
    let model = VaeModel::of_header(&header)?.unwrap().with_path(path);
    bbans::decompress_bytes(&model, file, ways()[0])
}

fn path(name: &str, what: &str) -> PathBuf {
    golden().join("v4").join(format!("{name}.{what}"))
}

/// Plain, a set, and independent data.
const WAYS: [usize; 3] = [0, 3, 6];

/// Model or none, and file, of each golden file, with what it restores to.
pub(crate) fn golden_files() -> Vec<(PathBuf, PathBuf)> {
    let names = files().into_iter().map(|file| file.description.name);
    let of =
        |name: String| WAYS.map(|way| (path(&name, &format!("{way}.bbans")), path(&name, "npy")));
    names.flat_map(of).collect()
}

#[test]
fn golden_files_are_read_and_written_as_they_were() {
    for file in files() {
        let name = &file.description.name;
        let packed = fs::read(path(name, "bbmodel")).unwrap();
        assert_eq!(file.to_packed_file().unwrap(), packed, "{name}");
        assert_eq!(ModelFile::from_bytes(&packed).unwrap(), file, "{name}");
        let model = VaeModel::embedded(&file).unwrap();
        let content = fs::read(path(name, "npy")).unwrap();
        for way in WAYS {
            let golden = fs::read(path(name, &format!("{way}.bbans"))).unwrap();
            for simd in Path::available() {
                let model = model.clone().with_path(simd);
                assert!(
                    compressed(&model, &content, ways()[way]) == golden,
                    "{name} {way}"
                );
                // Of a set the order is another.
                let found = restored(&golden, simd).unwrap();
                assert!(way == 3 || found == content, "{name} {way}");
                assert_eq!(found.len(), content.len());
            }
        }
    }
}

/// Writes what is missing, never what is there.
#[test]
#[ignore = "writes golden files that are missing"]
fn write_missing_golden_files_of_version_4() {
    fs::create_dir_all(golden().join("v4")).unwrap();
    let put = |path: PathBuf, bytes: &[u8]| {
        if !path.exists() {
            fs::write(path, bytes).unwrap();
        }
    };
    for file in files() {
        let name = &file.description.name;
        let model = VaeModel::embedded(&file).unwrap();
        let content = content(&model, 40);
        put(path(name, "bbmodel"), &file.to_packed_file().unwrap());
        put(path(name, "npy"), &content);
        for way in WAYS {
            let file = compressed(&model, &content, ways()[way]);
            put(path(name, &format!("{way}.bbans")), &file);
        }
    }
}

/// Without latents nothing is lost to them: a file is as long as the model says, in any way.
#[test]
fn without_latents_the_rate_is_that_of_the_data() {
    for file in models_without_latents() {
        let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
        assert_eq!((model.latents(), model.groups().len()), (0, 0));
        let data = drawn(&model, 2000);
        let bounds = bbans::elbo(&model, data.view(), 1, 1, 0).unwrap();
        let bound: f64 = bounds.iter().map(bbans::Elbo::bits).sum();
        for lanes in [1, 7, 64] {
            let particles = Way {
                particles: 2,
                ..Way::plain(lanes)
            };
            for way in [
                Way::plain(lanes),
                Way::plain(lanes).whitened(&model),
                particles,
            ] {
                let coded = block::encode_by(&model, data.view(), way).unwrap();
                let over = coded.net_bits - bound;
                // Heads have a few bits that nobody pays for, or is paid.
                let allowed = 0.001 * bound + lanes as f64;
                assert!(over.abs() < allowed, "{} {way:?} {over}", model.name());
                let decoded = block::decode(&model, coded.plan, coded.words).unwrap();
                assert_eq!(decoded, data);
            }
        }
    }
}

#[test]
fn every_turned_bit_and_every_cut_is_noticed() {
    let file = on_grids(models_without_latents().remove(0));
    let model = VaeModel::embedded(&file).unwrap();
    let content = content(&model, 9);
    let small_blocks = Options {
        block: NonZeroUsize::new(4),
        independent: true,
        ..ways()[0]
    };
    for options in [ways()[0], small_blocks] {
        let file = compressed(&model, &content, options);
        assert_eq!(file[8], 4);
        let path = Path::detect();
        assert_eq!(restored(&file, path).unwrap(), content);
        for bit in 0..8 * file.len() {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let header = Header::read(&mut damaged.as_slice());
            let has_model = header.is_ok_and(|h| h.is_some_and(|h| h.model.is_some()));
            let found = has_model.then(|| restored(&damaged, path));
            let harmless = found.is_none_or(|found| found.is_err() || found.unwrap() == content);
            assert!(harmless, "bit {bit} of {}", file.len());
        }
        for len in 0..file.len() {
            let header = Header::read(&mut &file[..len]);
            if header.is_ok_and(|header| header.is_some()) {
                assert!(restored(&file[..len], path).is_err(), "{len}");
            }
        }
    }
}

#[test]
fn forged_models_are_refused() {
    let models = files();
    let model = VaeModel::embedded(&models[0]).unwrap();
    let file = compressed(&model, &content(&model, 9), ways()[6]);
    let header = Header::read(&mut file.as_slice()).unwrap().unwrap();
    assert!(VaeModel::of_header(&header).unwrap().is_some());
    for (model, kind) in [
        (models[1].pack().unwrap(), ErrorKind::Corruption),
        (vec![], ErrorKind::Corruption),
        (vec![0; 100], ErrorKind::Corruption),
        (b"\x04\0\0\0\x03\0\0\0....".to_vec(), ErrorKind::Corruption),
    ] {
        let forged = Header {
            model: Some(model),
            ..header.clone()
        };
        let read = Header::read(&mut forged.to_bytes().unwrap().as_slice());
        let e = VaeModel::of_header(&read.unwrap().unwrap()).unwrap_err();
        assert!([kind, ErrorKind::Model].contains(&e.kind()), "{e}");
    }
    // Older versions have no room for one, and their readers know no such flag.
    let older = Header {
        version: 3,
        ..header.clone()
    };
    assert_eq!(
        older.to_bytes().unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    let lean = compressed(&model, &content(&model, 9), ways()[0]);
    let mut older = lean;
    older[8] = 3;
    let e = Header::read(&mut older.as_slice()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Compatibility, "{e}");
    let version_1 = Options {
        format: 1,
        ..ways()[0]
    };
    let refused = bbans::compress_bytes(&model, &content(&model, 9), version_1);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

/// A file needs a model that says what it says: with another one, or none, it is not decoded.
#[test]
fn a_model_that_is_not_in_the_file_must_be_given() {
    let file = models_without_latents().remove(0);
    let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let content = content(&model, 9);
    let file = compressed(&model, &content, ways()[0]);
    let header = Header::read(&mut file.as_slice()).unwrap().unwrap();
    assert!(header.version == 2 && VaeModel::of_header(&header).unwrap().is_none());
    let reader = DataReader::open(Cursor::new(content), "x.npy").unwrap();
    let other = VaeModel::from_bytes(&models_without_latents()[2].to_bytes().unwrap()).unwrap();
    let refused = bbans::compress(&other, reader, &mut Vec::new(), ways()[0], &mut |_| {});
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let refused = bbans::decompress_bytes(&other, &file, ways()[0]);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Compatibility);
}

/// There is one way to say that a model has no latents.
#[test]
fn descriptions_without_latents_have_one_form() {
    let file = models_without_latents().remove(0);
    let json = serde_json::to_value(&file.description).unwrap();
    let read = |json: &serde_json::Value| Description::from_json(&json.to_string());
    assert_eq!(read(&json).unwrap(), file.description);
    let none = serde_json::json!({"dim": 0, "bin_precision": 0, "log_sigma": [0.0, 0.0]});
    let some = serde_json::json!({"dim": 1, "bin_precision": 8, "log_sigma": [-1.0, 1.0]});
    let encode = serde_json::json!({
        "inputs": ["x"],
        "nodes": [{"id": "f", "op": "relu", "inputs": ["x"]}],
        "outputs": ["f"],
    });
    for (name, value, expected) in [
        ("latent", none, "to be left out"),
        ("latent", some, "no function encode"),
        ("encode", encode, "no latents, but"),
        ("groups", serde_json::json!([]), "canonical form at groups"),
        ("version", serde_json::json!(8), "latent"),
    ] {
        let mut changed = json.clone();
        changed[name] = value;
        let e = format!("{:#}", read(&changed).unwrap_err());
        assert!(e.contains(expected), "{name}: {e}");
    }
}
