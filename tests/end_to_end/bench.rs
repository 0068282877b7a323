//! `bbans bench` and `bbans models`.

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

#[test]
fn the_demonstration_runs_without_any_file() {
    let folder = Folder::new();
    let outcome = folder.ok("bench --samples 2 --limit 60");
    let text = String::from_utf8(outcome.stdout).unwrap();
    for part in [
        "mnist-binary-small",
        "built in, no real data",
        "60 of 1000",
        "gross",
        "-ELBO",
        "all 47056 bytes equal",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert_eq!(outcome.stderr, "", "no progress without a terminal");
}

#[test]
fn figures_add_up() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(500, 1), &TINY_SHAPE, 1));
    let json = folder
        .ok("bench --data x -m tiny.safetensors --json --lanes 8 --limit 300")
        .stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let figure = |key: &str| json[key].as_f64().unwrap();
    assert_eq!(
        (figure("count"), figure("of"), figure("dims")),
        (300.0, 500.0, 30.0)
    );
    assert!((figure("gross_bits_per_dim") - 8.0 * figure("file_bytes") / 9000.0).abs() < 1e-9);
    assert!(figure("net_bits_per_dim") < figure("gross_bits_per_dim"));
    assert!((figure("net_bits_per_dim") / figure("negative_elbo_bits_per_dim") - 1.0).abs() < 0.02);
    assert!(figure("negative_elbo_standard_error") < 0.01);
    assert_eq!(json["decoded_and_compared"], true);
}

#[test]
fn data_of_another_shape_or_grey_are_refused() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(5, 1), &TINY_SHAPE, 1));
    folder.fails("bench --data x", &["[6, 5]", "[28, 28]"]);
    folder.fails("bench -m tiny.safetensors", &["--data"]);
    folder.write("none", idx(&tiny_data(0, 1), &TINY_SHAPE, 1));
    folder.fails("bench --data none -m tiny.safetensors", &["no data"]);
    let mut grey = idx(&tiny_data(5, 1), &TINY_SHAPE, 1);
    grey[20] = 9;
    grey[21] = 200;
    folder.write("grey", grey);
    folder.fails(
        "bench --data grey -m tiny.safetensors",
        &["grey", "binarize"],
    );
}

#[test]
fn a_model_is_listed_shown_and_written() {
    let folder = Folder::new();
    let text = |words: &str| String::from_utf8(folder.ok(words).stdout).unwrap();
    assert!(text("models").contains("mnist-binary-small"));
    assert!(text("models mnist-binary-small").contains("bits/dim"));
    assert!(text("models tiny.safetensors").contains("\"bin_precision\": 6"));
    folder.ok("models mnist-binary-small -o m.safetensors");
    assert_eq!(folder.read("m.safetensors"), bbans_models::MODELS[0].bytes);
}
