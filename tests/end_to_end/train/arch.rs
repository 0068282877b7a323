//! `bbans train --arch` and `--from`: any description, and what does not fit one.

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

/// A network of dense layers for data of a shape, whose decoder ends with a node of these fields.
fn arch(likelihood: &str, last: &str, training: &str) -> String {
    format!(
        r#"{{
          "likelihood": {likelihood},
          "encode": {{"inputs": ["x"], "outputs": ["features"], "nodes": [
            {{"id": "encode.0", "op": "dense", "outputs": 16, "inputs": ["x"]}},
            {{"id": "features", "op": "silu", "inputs": ["encode.0"]}}]}},
          "groups": [{{"latents": "z", "shape": [2], "posterior": {{
            "inputs": ["features"], "outputs": ["mean", "log_sigma"], "nodes": [
              {{"id": "mean", "op": "dense", "outputs": 2, "inputs": ["features"]}},
              {{"id": "log_sigma", "op": "dense", "outputs": 2, "inputs": ["features"]}}]}}}}],
          "decode": {{"inputs": ["z"], "outputs": ["last"], "nodes": [
            {{"id": "decode.0", "op": "dense", "outputs": 16, "inputs": ["z"]}},
            {{"id": "hidden", "op": "silu", "inputs": ["decode.0"]}},
            {{"id": "last", {last}, "inputs": ["hidden"]}}]}},
          "training": {{"batch": 16, "min_steps": 0, {training}}}
        }}"#
    )
}

const LONG: &str = r#""epochs": 100000"#;
const SHORT: &str = r#""epochs": 3"#;
const DENSE: &str = r#""op": "dense", "outputs": "$parameters""#;

/// Pictures of 2 by 2 pixels of 3 colours, of 5 levels.
fn colours(folder: &Folder) {
    let noise = tiny_data(100, 3);
    let level = |(i, d): (usize, usize)| {
        let sum = noise[(i, d)] + noise[(i, d / 3)] + noise[(i, d / 2)];
        sum + u16::from(i % 4 == d % 4)
    };
    let mut data = ndarray::Array2::from_shape_fn((100, 12), level);
    data[(0, 0)] = 4;
    folder.write("x", idx(&data, &[2, 2, 3], 1));
    let held_out = ndarray::Array2::from_shape_fn((16, 12), |(i, d)| data[(84 + i, d)]);
    folder.write("held-out", idx(&held_out, &[2, 2, 3], 1));
}

/// The bound that training found for the data that were held out, over the codec's in f64.
fn training_over_codec(folder: &Folder) -> f64 {
    let json =
        folder.ok("bench --data held-out -m m.safetensors --rivals none --json --samples 100");
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let codec = &json["models"][0]["negative_elbo_bits_per_dim"];
    let model = bbans::nn::ModelFile::from_bytes(&folder.read("m.safetensors")).unwrap();
    let training = &model.description.training.unwrap()["validation_bits_per_dim"];
    training.as_f64().unwrap() / codec.as_f64().unwrap()
}

/// Every likelihood of independent values: a model that is trained loads, codes and decodes, and the codec finds the bound
/// that training found.
#[test]
fn every_likelihood_is_trained() {
    let folder = Folder::new();
    colours(&folder);
    for likelihood in [
        r#""$likelihood""#,
        r#"{"beta_binomial": {"levels": "$levels"}}"#,
        r#"{"categorical": {"levels": 7}}"#,
        r#"{"discretized_logistic": {"levels": "$levels", "components": 3}}"#,
        r#"{"discretized_logistic": {"levels": 256, "components": 1}}"#,
        r#"{"discretized_gaussian": {"levels": "$levels"}}"#,
        r#"{"colour_logistics": {"levels": "$levels", "components": 2}}"#,
    ] {
        // With small weights one sample of the latents tells the bound well.
        let small = r#""epochs": 3, "init": {"last.weight": 0.1}"#;
        folder.write("arch.json", arch(likelihood, DENSE, small));
        folder.ok("train --data x -o m.safetensors --arch arch.json -f");
        folder.ok("compress x -m m.safetensors -f");
        folder.ok("decompress x.bbans -o y -m m.safetensors -f");
        assert_eq!(folder.read("x"), folder.read("y"), "{likelihood}");
        let over = training_over_codec(&folder);
        assert!((0.98..1.02).contains(&over), "{likelihood}: {over}");
    }
}

/// A preset is a description: both give the same tensors, and the same twice.
#[test]
fn a_preset_is_the_description_that_it_prints() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(200, 1), &[5, 3, 2], 1));
    let json = folder.ok("train --print-arch small").stdout;
    folder.write("arch.json", json);
    folder.ok("train --data x -o a.safetensors --preset small --epochs 2 --name m");
    folder.ok("train --data x -o b.safetensors --arch arch.json --epochs 2 --name m");
    let model = |name: &str| bbans::nn::ModelFile::from_bytes(&folder.read(name)).unwrap();
    let (a, b) = (model("a.safetensors"), model("b.safetensors"));
    // One seed, one file.
    folder.ok("train --data x -o c.safetensors --preset small --epochs 2 --name m");
    assert!(folder.read("a.safetensors") == folder.read("c.safetensors"));
    folder.ok("train --data x -o d.safetensors --preset small --epochs 2 --name m --seed 2");
    assert!(folder.read("a.safetensors") != folder.read("d.safetensors"));
    assert_eq!(a.tensors, b.tensors);
    assert_eq!(a.description.networks, b.description.networks);
    for preset in ["balanced", "best", "gray", "conv", "ladder"] {
        let json = folder.ok(&format!("train --print-arch {preset}")).stdout;
        assert!(
            serde_json::from_slice::<serde_json::Value>(&json).is_ok(),
            "{preset}"
        );
    }
}

/// Convolutions, norms and groups of latents with priors of their own.
#[test]
fn networks_of_convolutions_are_trained() {
    let folder = Folder::new();
    let bits = tiny_data(72, 5);
    let bit = |(i, d): (usize, usize)| bits[(i, d / 8)] & u16::from(d % 5 != 0);
    let data = ndarray::Array2::from_shape_fn((72, 96), bit);
    folder.write("x", idx(&data, &[8, 12], 1));
    let held_out = ndarray::Array2::from_shape_fn((12, 96), |(i, d)| data[(60 + i, d)]);
    folder.write("held-out", idx(&held_out, &[8, 12], 1));
    for preset in ["conv", "ladder"] {
        folder.ok(&format!(
            "train --data x -o m.safetensors --preset {preset} --epochs 2 -f"
        ));
        folder.ok("compress x -m m.safetensors -f");
        folder.ok("decompress x.bbans -o y -m m.safetensors -f");
        assert_eq!(folder.read("x"), folder.read("y"), "{preset}");
        let over = training_over_codec(&folder);
        assert!((0.95..1.05).contains(&over), "{preset}: {over}");
    }
}

/// Two values that a model of more levels is trained on are coded as they are.
#[test]
fn two_values_are_bits_of_a_model_of_bits_alone() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(60, 1), &TINY_SHAPE, 200));
    let likelihood = r#"{"categorical": {"levels": 256}}"#;
    folder.write("arch.json", arch(likelihood, DENSE, SHORT));
    folder.ok("train --data x -o m.safetensors --arch arch.json");
    folder.ok("compress x -m m.safetensors");
    folder.ok("decompress x.bbans -o y -m m.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    let model = bbans::nn::ModelFile::from_bytes(&folder.read("m.safetensors")).unwrap();
    assert_eq!(model.description.training.unwrap()["data_values"], "levels");
}

/// What makes training slow is told, and what a model gives.
#[test]
fn remarks_are_made() {
    let folder = Folder::new();
    colours(&folder);
    let end = r#""op": "dense", "outputs": "$parameters"}, {"id": "bent", "op": "tanh", "inputs": ["last"]"#;
    let logistic = r#"{"discretized_logistic": {"levels": 5, "components": 1}}"#;
    let text = arch(logistic, DENSE, SHORT).replace(DENSE, "LAST");
    let text = text.replace(
        r#"{"id": "last", LAST, "inputs": ["hidden"]}"#,
        &format!(r#"{{"id": "last", "inputs": ["hidden"], {end}}}"#),
    );
    let text = text.replace(r#""outputs": ["last"]"#, r#""outputs": ["bent"]"#);
    folder.write("arch.json", &text);
    let told = folder
        .ok("train --data x -o m.safetensors --arch arch.json")
        .stderr;
    assert!(told.contains("units of the levels"), "{told}");
    let other = text
        .replace(r#""id": "hidden""#, r#""id": "more""#)
        .replace(r#"["hidden"]"#, r#"["more"]"#);
    folder.write("other.json", other.replace("encode.0", "encode.1"));
    let told = folder
        .ok("train --data x -o n.safetensors --arch other.json --from m.safetensors")
        .stderr;
    assert!(told.contains("8 of 10 tensors are the model's"), "{told}");
}

/// From a model on, with its network and with another; with several samples.
#[test]
fn training_goes_on_from_a_model() {
    let folder = Folder::new();
    colours(&folder);
    folder.write(
        "arch.json",
        arch(r#""$likelihood""#, DENSE, r#""epochs": 3, "samples": 3"#),
    );
    let told = folder
        .ok("train --data x -o a.safetensors --arch arch.json")
        .stderr;
    assert!(told.contains("-IWAE of 3 samples"), "{told}");
    let told = folder
        .ok("train --data x -o b.safetensors --from a.safetensors --samples 1")
        .stderr;
    assert!(told.contains("-ELBO"), "{told}");
    folder.ok("compress x -m b.safetensors");
    folder.ok("decompress x.bbans -o y -m b.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    // A step of no length, after which every tensor is what it was.
    let still = r#""epochs": 1, "learning_rate": 0.0"#;
    folder.write("still.json", arch(r#""$likelihood""#, DENSE, still));
    folder.ok("train --data x -o c.safetensors --arch still.json --from a.safetensors");
    let model = |name: &str| bbans::nn::ModelFile::from_bytes(&folder.read(name)).unwrap();
    for (name, tensor) in model("a.safetensors").tensors {
        let other = &model("c.safetensors").tensors[&name];
        let pairs = tensor.values.iter().zip(&other.values);
        let within = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3 * a.abs() + 1e-6;
        assert!(pairs.clone().all(within), "{name}");
    }
    folder.write("z", idx(&tiny_data(60, 1), &TINY_SHAPE, 1));
    folder.fails(
        "train --data z -o d.safetensors --from a.safetensors",
        &["[6, 5]", "[2, 2, 3]"],
    );
    folder.fails("train --data z -o d.safetensors --from z", &["z"]);
}

#[test]
fn descriptions_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    colours(&folder);
    for (arch, expected) in [
        (
            arch(r#""$likelihood""#, r#""op": "dense", "outputs": 7"#, SHORT),
            &["arch.json", "decode", "[7]", "60 numbers"][..],
        ),
        (
            arch(r#"{"categorical": {"levels": 4}}"#, DENSE, SHORT),
            &["up to 4", "4 levels"],
        ),
        (
            arch(
                r#""$likelihood""#,
                r#""op": "conv2d", "channels": 3, "kernel": [3, 3]"#,
                SHORT,
            ),
            &["decode", "node last", "[channels, rows, columns]"],
        ),
        (
            arch(r#""$likelihood""#, DENSE, r#""epoch": 3"#),
            &["training", "epoch"],
        ),
        (
            arch(r#""$likelihood""#, DENSE, r#""init": {"lost.weight": 0}"#),
            &["lost.weight"],
        ),
        (
            arch(
                r#""$likelihood""#,
                r#""op": "dense", "outputs": "$size""#,
                SHORT,
            ),
            &["$size", "$dims"],
        ),
        (
            arch(r#""$likelihood""#, r#""op": "dance", "outputs": 3"#, SHORT),
            &["dance"],
        ),
        (
            arch(r#""$likelihood""#, DENSE, SHORT).replace(r#""id": "features""#, r#""id": "x""#),
            &["the name x"],
        ),
        (r#"{"encode": {}}"#.to_owned(), &["`groups`"]),
        ("{".to_owned(), &["arch.json"]),
    ] {
        folder.write("arch.json", arch);
        folder.fails("train --data x -o m.safetensors --arch arch.json", expected);
    }
    folder.fails(
        "train --data x -o m.safetensors --arch nowhere.json",
        &["nowhere.json"],
    );
}

/// A loss that is no number ends the run at its step, and the last good checkpoint stays.
#[test]
fn a_loss_that_is_no_number_keeps_the_checkpoint() {
    let folder = Folder::new();
    colours(&folder);
    folder.write("arch.json", arch(r#""$likelihood""#, DENSE, LONG));
    let command = "train --data x -o m.safetensors --arch arch.json -f --max-minutes 0.02";
    folder.ok(command);
    // Weights as large as floats are, as if the last step had been too long.
    let mut checkpoint = folder.read("m.safetensors.checkpoint");
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&checkpoint).unwrap();
    let (start, end) = metadata.info("value.0").unwrap().data_offsets;
    for weight in checkpoint[header + 8..][start..end].chunks_exact_mut(4) {
        weight.copy_from_slice(&f32::MAX.to_le_bytes());
    }
    folder.write("m.safetensors.checkpoint", &checkpoint);
    let outcome = folder.run(command);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for part in [
        "the training loss is",
        "steps",
        "smaller training.learning_rate",
        "after epoch",
    ] {
        assert!(outcome.stderr.contains(part), "{}", outcome.stderr);
    }
    assert!(folder.read("m.safetensors.checkpoint") == checkpoint);
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = Folder::new();
    colours(&folder);
    let write = |units: &str, training: &str| {
        let text = arch(r#""$likelihood""#, DENSE, training);
        folder.write("arch.json", text.replace(r#""outputs": 16"#, units));
    };
    let long = LONG;
    write(r#""outputs": 16"#, long);
    folder.ok("train --data x -o m.safetensors --arch arch.json --max-minutes 0.02");
    assert!(folder.path("m.safetensors.checkpoint").exists());
    let command = "train --data x -o m.safetensors --arch arch.json -f --max-minutes 0.01";
    write(r#""outputs": 15"#, long);
    folder.fails(command, &["another network", "remove the checkpoint"]);
    write(r#""outputs": 16"#, r#""epochs": 100000, "free_bits": 1"#);
    folder.fails(command, &["other options"]);
    write(r#""outputs": 16"#, long);
    folder.ok(command);
    let mut data = folder.read("x");
    let last = data.len() - 1;
    data[last] = (data[last] + 1) % 5;
    folder.write("x", data);
    folder.fails(command, &["other data"]);
    // Parts of two checkpoints.
    let mut damaged = folder.read("m.safetensors.checkpoint");
    let at = damaged.windows(6).position(|w| w == b"best.0").unwrap();
    damaged[at] = b'r';
    folder.write("m.safetensors.checkpoint", damaged);
    folder.fails(command, &["do not fit together", "remove it"]);
}

/// A checkpoint that cannot be written is told, and the one before stays.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    let folder = Folder::new();
    colours(&folder);
    folder.write("arch.json", arch(r#""$likelihood""#, DENSE, SHORT));
    let partial = folder.path("m.safetensors.checkpoint-new");
    std::os::unix::fs::symlink("/dev/full", partial).unwrap();
    let outcome = folder.run("train --data x -o m.safetensors --arch arch.json");
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("cannot write the checkpoint"),
        "{}",
        outcome.stderr
    );
    assert!(!folder.path("m.safetensors").exists());
}

/// Few data are looked at as often as many.
#[test]
fn few_data_have_as_many_steps() {
    let folder = Folder::new();
    colours(&folder);
    let text = arch(r#""$likelihood""#, DENSE, SHORT);
    folder.write(
        "arch.json",
        text.replace(r#""min_steps": 0"#, r#""min_steps": 99"#),
    );
    folder.ok("train --data x -o m.safetensors --arch arch.json");
    let training = |name: &str| {
        let model = bbans::nn::ModelFile::from_bytes(&folder.read(name)).unwrap();
        model.description.training.unwrap()
    };
    // 84 data, 6 steps an epoch.
    assert_eq!(training("m.safetensors")["epochs_run"], 17);
    folder.ok("train --data x -o n.safetensors --arch arch.json --epochs 2");
    assert_eq!(training("n.safetensors")["epochs_run"], 2);
}
