//! Models of versions 6 and 7: golden files, exactness, rate.

use bbans::VaeModel;
use bbans::nn::description::BinKind;
use bbans::nn::{ModelFile, bins};
use serde_json::{Value, json};

use crate::goldens::Goldens;
use crate::support::graphs::{graph_model_files, with_random_weights};
use crate::support::idx;
use crate::{compress, decompress};

fn goldens() -> Goldens {
    Goldens::new("graphs", graph_model_files())
}

#[test]
fn golden_files_decode_and_are_still_written_so() {
    goldens().check();
}

/// Writes the golden files that are missing: for a new case, never for one that is there.
#[test]
#[ignore = "writes into the source tree"]
fn write_missing_golden_files() {
    goldens().write_missing();
}

#[test]
fn any_number_of_lanes_restores_the_data() {
    goldens().check_lanes();
}

/// With posteriors within the bins, and bins fine enough.
#[test]
fn net_bits_of_data_from_the_model_are_the_bound() {
    for mut file in graph_model_files() {
        file.description.latent.log_sigma = [-3.0, -0.7];
        match file.description.latent.bins {
            BinKind::EqualMass => {
                file.description.latent.bin_precision = 12;
                bins::insert_standard_normal(&mut file.tensors, 12).unwrap();
            }
            BinKind::Masses => {
                file.description.latent.bin_precision = 14;
                bins::insert_equal_width(&mut file.tensors, 14, 20.0).unwrap();
            }
        }
        for (name, tensor) in &mut file.tensors {
            if name.starts_with("encode.0.weight") {
                tensor.values.iter_mut().for_each(|w| *w /= 16.0);
            }
        }
        crate::rate_is_the_bound(&file);
    }
}

/// One line that names what is wrong.
#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let ladder = || {
        let file = graph_model_files().remove(0);
        (serde_json::to_value(&file.description).unwrap(), file)
    };
    let refused = |change: &dyn Fn(&mut Value), parts: &[&str]| {
        let (mut description, file) = ladder();
        change(&mut description);
        let text = description.to_string();
        let error = match bbans::nn::Description::from_json(&text) {
            Err(e) => e,
            Ok(description) => {
                let tensors = file.tensors;
                let file = ModelFile {
                    description,
                    tensors,
                };
                VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap_err()
            }
        };
        let error = format!("{error:#}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
        assert!(!error.contains('\n'), "{error}");
    };
    refused(&|d| d["version"] = json!(10), &["version 10", "newer"]);
    refused(
        &|d| d["latent"]["bins"] = json!("masses"),
        &["bins", "version 6", "version 7"],
    );
    refused(
        &|d| {
            d["version"] = json!(7);
            d["latent"]["bins"] = json!("masses");
        },
        &["latent.masses"],
    );
    refused(
        &|d| {
            d["version"] = json!(7);
            d["latent"]["bins"] = json!("equal_mass");
        },
        &["latent.bins", "defaults"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["stride"] = json!([1, 1]),
        &["encode.nodes.1.stride", "defaults"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["inputs"] = json!(["low"]),
        &["encode.0", "low", "without cycles"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["inputs"] = json!(["nothing"]),
        &["encode.0", "nothing"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["kernel"] = json!([9, 9]),
        &["encode.0", "[1, 6, 5]"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["channels"] = json!(8),
        &["encode.0.weight", "[3, 3, 1, 4]", "[3, 3, 1, 8]"],
    );
    refused(
        &|d| d["encode"]["nodes"][1]["channels"] = json!(1u64 << 60),
        &["encode.0", "at most"],
    );
    refused(
        &|d| d["encode"]["outputs"] = json!(["low", "high", "picture"]),
        &["no function takes picture"],
    );
    refused(
        &|d| d["groups"][0]["update"]["inputs"] = json!(["z1", "top", "high"]),
        &["update of z1", "high"],
    );
    refused(
        &|d| d["groups"][0]["posterior"]["inputs"] = json!(["high", "z0"]),
        &["posterior of z1", "z0"],
    );
    refused(
        &|d| d["groups"][1]["latents"] = json!("z1"),
        &["the name z1"],
    );
    refused(
        &|d| d["groups"][1]["shape"] = json!([2, 3, 2]),
        &["9 latents", "15"],
    );
    refused(
        &|d| d["groups"][1]["prior"]["outputs"] = json!(["prior.0", "extra"]),
        &["nobody uses prior.1"],
    );
    refused(
        &|d| d["decode"]["nodes"][6]["channels"] = json!(2),
        &["decode.2.weight"],
    );
    refused(
        &|d| d["decode"]["nodes"][1]["id"] = json!("encode.0"),
        &["node grown", "decode.1"],
    );
    refused(
        &|d| {
            d["decode"]["nodes"][1]["id"] = json!("encode.0");
            d["decode"]["nodes"][2]["inputs"] = json!(["encode.0"]);
        },
        &["encode.0", "[3, 3, 1, 4]"],
    );
    refused(&|d| d["decode"]["extra"] = json!(1), &["extra"]);
    let (_, mut file) = ladder();
    let spare = bbans::nn::Tensor::new(vec![1], vec![0.0]).unwrap();
    file.tensors.insert("spare".to_owned(), spare);
    let error = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap_err();
    assert!(error.to_string().contains("spare"), "{error}");
}

/// Whatever a datum's shape is: nothing assumes it that the tensors do not fix.
#[test]
fn a_convolutional_model_is_of_any_size() {
    let conv = |id: &str, input: &str, channels: usize| {
        json!({"id": id, "op": "conv2d", "inputs": [input], "channels": channels, "kernel": [3, 3],
               "padding": [1, 1, 1, 1]})
    };
    let model = |rows: usize, columns: usize| {
        with_random_weights(json!({
            "version": 6,
            "name": "sizes",
            "data_shape": [1, rows, columns],
            "likelihood": "bernoulli",
            "latent": {"dim": 2 * rows * columns, "bin_precision": 8, "log_sigma": [-3.0, 1.0]},
            "encode": {"inputs": ["x"], "nodes": [conv("c", "x", 2)], "outputs": ["c"]},
            "groups": [{
                "latents": "z",
                "shape": [2, rows, columns],
                "posterior": {
                    "inputs": ["c"],
                    "nodes": [conv("m", "c", 2), conv("s", "c", 2)],
                    "outputs": ["m", "s"]
                }
            }],
            "decode": {"inputs": ["z"], "nodes": [conv("d", "z", 1)], "outputs": ["d"]}
        }))
    };
    let (small, large) = (model(4, 4), model(6, 9));
    assert_eq!(small.tensors, large.tensors);
    for (file, rows, columns) in [(small, 4, 4), (large, 6, 9)] {
        let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let data = bbans::sample(&model, 20, 1, 0).unwrap();
        let content = idx(&data, &[1, rows, columns], 1);
        let (coded, _) = compress(&model, &content, 8, 1).unwrap();
        assert_eq!(decompress(&model, &coded, 1).unwrap(), content);
    }
}
