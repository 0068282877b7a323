//! Weights of other frameworks, and grey data, through the program.

use crate::Folder;
use crate::support::{TINY_SHAPE, golden, grey_data, idx, npy, tiny_model_file};

/// The encoder and decoder of the small model, with their tensors' own names.
const ARCH: &str = r#"{
    "name": "mine", "data": {"shape": [6, 5]}, "latent": {"dim": 3},
    "encoder": {
        "layers": [
            {"linear": "encoder.0", "transposed": true}, "relu",
            {"linear": "encoder.1", "transposed": true}, "tanh"
        ],
        "mean_and_log_sigma": [{"linear": "encoder.2", "transposed": true}]
    },
    "decoder": [
        {"linear": "decoder.0", "transposed": true}, "silu",
        {"linear": "decoder.1", "transposed": true}, "sigmoid",
        {"linear": "decoder.2", "transposed": true}, "exp",
        {"linear": "decoder.3", "transposed": true}
    ],
    "likelihood": {"kind": "bernoulli", "outputs": "logits"}
}"#;

#[test]
fn an_imported_model_compresses() {
    let folder = Folder::new();
    folder.write("w.safetensors", tiny_model_file("w", 7).to_bytes().unwrap());
    folder.write("arch.json", ARCH);
    let told = folder
        .ok("import w.safetensors --arch arch.json -o m.safetensors")
        .stderr;
    assert!(
        told.contains("unused tensors: latent.centres, latent.edges"),
        "{told}"
    );
    let data = crate::support::tiny_data(100, 1);
    folder.write("x", idx(&data, &TINY_SHAPE, 1));
    folder.ok("compress x -m m.safetensors");
    folder.ok("decompress x.bbans -o y -m m.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    folder.fails(
        "import w.safetensors --arch arch.json -o m.safetensors",
        &["m.safetensors exists"],
    );
}

/// What bins cost is told; what is wrong with the data leaves nothing.
#[test]
fn bins_are_chosen_by_data() {
    let folder = Folder::new();
    folder.write("w.safetensors", tiny_model_file("w", 7).to_bytes().unwrap());
    folder.write("arch.json", ARCH);
    folder.write("x", idx(&crate::support::tiny_data(300, 1), &TINY_SHAPE, 1));
    let told = folder
        .ok("import w.safetensors --arch arch.json -o m --data x")
        .stderr;
    assert!(
        told.contains("2^10 of equal mass cost") && told.contains("kept"),
        "{told}"
    );
    folder.write("grey", idx(&grey_data(9, 256, 1), &TINY_SHAPE, 1));
    let empty = ndarray::Array2::zeros((0, 30));
    folder.write("empty", idx(&empty, &TINY_SHAPE, 1));
    for (data, parts) in [
        ("nothing", ["nothing", "cannot be read"]),
        ("grey", ["grey", "binary"]),
        ("empty", ["empty", "at least one datum"]),
        ("x -f -o x", ["x", "input"]),
    ] {
        let words = format!("import w.safetensors --arch arch.json --data {data}");
        let to = if data.contains("-o") { "" } else { " -o none" };
        folder.fails(&(words + to), &parts);
    }
}

/// Bins of a model file are chosen anew; those that do not fit are warned of.
#[test]
fn a_model_whose_bins_do_not_fit_is_mended() {
    let folder = Folder::new();
    let file = crate::support::graphs::thermometer_model_file();
    folder.write("far.safetensors", file.to_bytes().unwrap());
    let data = ndarray::Array2::from_shape_fn((300, 30), |(i, d)| u16::from(d < 7 * i % 31));
    folder.write("x", idx(&data, &TINY_SHAPE, 1));
    let told = folder.ok("compress x -m far.safetensors --format 1").stderr;
    assert!(told.contains("beyond the outermost bin"), "{told}");
    let size = folder.read("x.bbans").len();
    let told = folder
        .ok("import far.safetensors --data x -o near.safetensors")
        .stderr;
    assert!(
        told.contains("of equal width") || told.contains("of equal mass would cost"),
        "{told}"
    );
    let told = folder
        .ok("compress x -o y -m near.safetensors --format 1")
        .stderr;
    assert!(!told.contains("beyond the outermost bin"), "{told}");
    assert!(folder.read("y").len() < size);
    folder.ok("decompress y -o z -m near.safetensors");
    assert_eq!(folder.read("x"), folder.read("z"));
    folder.fails(
        "import far.safetensors -o other.safetensors",
        &["model file already", "--data"],
    );
    folder.write("weights", "x");
    folder.fails("import weights --data x -o other.safetensors", &["--arch"]);
}

#[test]
fn what_cannot_be_imported_leaves_nothing() {
    let folder = Folder::new();
    folder.write("w.safetensors", tiny_model_file("w", 7).to_bytes().unwrap());
    folder.write("arch.json", ARCH);
    let import =
        |weights: &str, arch: &str| format!("import {weights} --arch {arch} -o m.safetensors");
    folder.write("layer.json", ARCH.replace("tanh", "tahn"));
    folder.fails(
        &import("w.safetensors", "layer.json"),
        &["layer.json", "tahn", "softplus"],
    );
    folder.write("shape.json", ARCH.replace("[6, 5]", "[6, 6]"));
    folder.fails(
        &import("w.safetensors", "shape.json"),
        &["w.safetensors", "encoder.0.weight", "[30, 9]", "[36, 9]"],
    );
    folder.write("key.json", ARCH.replace("\"latent\"", "\"latents\""));
    folder.fails(
        &import("w.safetensors", "key.json"),
        &["key.json", "latents"],
    );
    folder.write("cut.safetensors", &folder.read("w.safetensors")[..500]);
    folder.fails(
        &import("cut.safetensors", "arch.json"),
        &["not a safetensors file"],
    );
    folder.fails(&import("nowhere", "arch.json"), &["nowhere"]);
    folder.fails(&import("w.safetensors", "nowhere.json"), &["nowhere.json"]);
}

#[test]
fn grey_data_go_through_every_command() {
    let folder = Folder::new();
    let golden = golden().join("grey/beta-binomial.safetensors");
    std::fs::copy(golden, folder.path("grey.safetensors")).unwrap();
    let data = grey_data(90, 256, 8);
    for (name, content) in [
        ("x.idx", idx(&data, &TINY_SHAPE, 1)),
        ("x.npy", npy(&data, &TINY_SHAPE)),
    ] {
        folder.write(name, content);
        folder.ok(&format!("compress {name} -m grey.safetensors"));
        folder.ok(&format!("test {name}.bbans -m grey.safetensors"));
        folder.ok(&format!(
            "decompress {name}.bbans -o y -f -m grey.safetensors"
        ));
        assert_eq!(folder.read(name), folder.read("y"), "{name}");
    }
    folder.ok("sample -m grey.safetensors -o s.png -n 9");
    folder.ok("sample -m grey.safetensors -o s.idx -n 50");
    folder.ok("compress s.idx -m grey.safetensors");
    folder.fails(
        "sample -m grey.safetensors -o s.amat -n 9",
        &["not written as .amat", ".idx"],
    );
    let text = folder
        .ok("bench --data s.idx -m grey.safetensors --rivals built-in --samples 2")
        .stdout;
    assert!(
        String::from_utf8(text)
            .unwrap()
            .contains("one byte a value")
    );
    folder.fails(
        "bench --data x.idx -m tiny.safetensors",
        &["grey", "binarize"],
    );
}
