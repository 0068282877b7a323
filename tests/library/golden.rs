//! Files of every version of the format that was ever released, and what they must restore.

use std::fs;

use crate::support::{TINY_SHAPE, amat, golden, idx, npy, tiny_data, tiny_model, tiny_model_file};
use crate::{compress, decompress};

/// Name, data file, lanes.
fn cases() -> Vec<(&'static str, Vec<u8>, usize)> {
    let data = tiny_data(70, 1);
    let blank = ndarray::Array2::zeros((50, 30));
    vec![
        ("idx-16-lanes", idx(&data, &TINY_SHAPE, 1), 16),
        ("idx-255-1-lane", idx(&data, &TINY_SHAPE, 255), 1),
        (
            "amat-crlf-no-last-end",
            amat(&data, ",", "\r\n")[..70 * 61 - 2].to_vec(),
            64,
        ),
        ("npy-64-lanes", npy(&data, &TINY_SHAPE), 64),
        ("blank", idx(&blank, &TINY_SHAPE, 1), 8),
        (
            "none",
            idx(&ndarray::Array2::zeros((0, 30)), &TINY_SHAPE, 1),
            4,
        ),
    ]
}

#[test]
fn files_of_version_1_decode_and_are_still_written_so() {
    let model = tiny_model();
    for (name, content, lanes) in cases() {
        let file = fs::read(golden().join(format!("v1/{name}.bbans"))).unwrap();
        assert_eq!(decompress(&model, &file, 1).unwrap(), content, "{name}");
        assert_eq!(
            compress(&model, &content, lanes, 2).unwrap().0,
            file,
            "{name}: other bytes"
        );
    }
}

/// The model file is written as ever: the same description and tensors give the same bytes.
#[test]
fn the_golden_model_is_still_written_so() {
    let bytes = fs::read(golden().join("tiny.safetensors")).unwrap();
    let file = tiny_model_file("tiny", 7);
    assert_eq!(bbans::nn::ModelFile::from_bytes(&bytes).unwrap(), file);
    assert_eq!(file.to_bytes().unwrap(), bytes);
    let hex: String = bbans::FileModel::fingerprint(&tiny_model())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(
        hex,
        fs::read_to_string(golden().join("tiny.fingerprint"))
            .unwrap()
            .trim()
    );
}

/// Writes the golden files that are missing: for a new case, never for one that is there.
#[test]
#[ignore = "writes into the source tree"]
fn write_missing_golden_files() {
    let write = |path: std::path::PathBuf, bytes: &[u8]| {
        if !path.exists() {
            fs::write(path, bytes).unwrap();
        }
    };
    write(
        golden().join("tiny.safetensors"),
        &tiny_model_file("tiny", 7).to_bytes().unwrap(),
    );
    let model = tiny_model();
    let hex: String = bbans::FileModel::fingerprint(&model)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    write(golden().join("tiny.fingerprint"), hex.as_bytes());
    for (name, content, lanes) in cases() {
        let file = compress(&model, &content, lanes, 1).unwrap().0;
        write(golden().join(format!("v1/{name}.bbans")), &file);
    }
}

/// What a file names is how its model is found.
#[test]
fn built_in_models_have_their_fingerprints() {
    for model in bbans_models::MODELS {
        let loaded = bbans::VaeModel::from_bytes(model.bytes).unwrap();
        assert_eq!(
            model.fingerprint,
            bbans::FileModel::fingerprint(&loaded),
            "{}",
            model.name
        );
    }
}
