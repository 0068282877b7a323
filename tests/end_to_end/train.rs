//! Training a model of one's own data, interrupted and gone on with.

mod arch;

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

#[test]
fn a_trained_model_compresses_its_data() {
    let folder = Folder::new();
    // Rows of two kinds, so that there is something to learn.
    let mut data = tiny_data(600, 1);
    for (i, mut row) in data.rows_mut().into_iter().enumerate() {
        row.iter_mut().enumerate().for_each(|(d, b)| {
            *b = u16::from((d < 15) == (i % 2 == 0)) ^ (*b & u16::from(d % 7 == 0))
        });
    }
    folder.write("x", idx(&data, &TINY_SHAPE, 255));
    let told = folder
        .ok("train --data x -o mine.safetensors --epochs 30")
        .stderr;
    assert!(told.contains("validation -ELBO"), "{told}");
    assert!(!folder.path("mine.safetensors.checkpoint").exists());
    folder.ok("compress x -m mine.safetensors");
    folder.ok("decompress x.bbans -o y -m mine.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    assert!(
        folder.read("x.bbans").len() < 600 * 30 / 8 / 2 + 300,
        "it learned something"
    );
    folder.fails(
        "train --data x -o mine.safetensors",
        &["mine.safetensors exists"],
    );
}

/// A run that is stopped and gone on with ends with the model of one that was not.
#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(3000, 1), &TINY_SHAPE, 1));
    folder.ok("train --data x -o whole.safetensors --epochs 6 --name m");
    let mut runs = 0;
    let there = |name: &str| folder.path(name).exists();
    while !there("parts.safetensors") || there("parts.safetensors.checkpoint") {
        runs += 1;
        assert!(runs < 200, "it never ends");
        // Less than the run takes; the first epoch may need more.
        folder
            .run("train --data x -o parts.safetensors --epochs 6 --name m -f --max-minutes 0.002");
        if runs > 60 {
            folder.ok("train --data x -o parts.safetensors --epochs 6 --name m -f");
        }
    }
    let weights = |name: &str| {
        bbans::nn::ModelFile::from_bytes(&folder.read(name))
            .unwrap()
            .tensors
    };
    assert_eq!(weights("whole.safetensors"), weights("parts.safetensors"));
}

/// Latents in layers; nothing held out.
#[test]
fn a_hierarchy_that_is_trained_on_all_data_compresses_them() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(300, 1), &TINY_SHAPE, 1));
    let told = folder.ok("train --data x -o deep.safetensors --epochs 3 --latent-layers 4 --all");
    assert!(told.stderr.contains("training -ELBO"), "{}", told.stderr);
    folder.ok("compress x -m deep.safetensors");
    folder.ok("decompress x.bbans -o y -m deep.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    let model = bbans::nn::ModelFile::from_bytes(&folder.read("deep.safetensors")).unwrap();
    let graphs = model.description.graphs(&model.tensors).unwrap();
    assert_eq!(graphs.groups.len(), 4);
    let training = model.description.training.unwrap();
    assert_eq!(training["training_count"], 300);
    assert!(training.get("validation_nats").is_none());
    folder.ok("compare model --data x -m deep.safetensors --limit 3 --budget 8");
    folder.fails(
        "train --data x -o m.safetensors --latent-layers 7",
        &["latents of shape [40]", "7 layers"],
    );
}

#[test]
fn what_cannot_be_trained_on_is_refused() {
    let folder = Folder::new();
    let mut grey = idx(&tiny_data(60, 1), &TINY_SHAPE, 1);
    grey[20] = 7;
    grey[21] = 9;
    folder.write("grey", &grey);
    folder.fails(
        "train --data grey -o m.safetensors --preset balanced",
        &["grey", "--binarize", "10 levels"],
    );
    folder.write("few", idx(&tiny_data(2, 1), &TINY_SHAPE, 1));
    folder.fails("train --data few -o m.safetensors", &["too few"]);
    folder.fails("train --data few -o nowhere/m.safetensors", &["few"]);
    folder.fails(
        "train --data few -o m.safetensors --max-minutes=-1",
        &["--max-minutes"],
    );
    folder.write("other.safetensors.checkpoint", "not one");
    folder.write("x", idx(&tiny_data(60, 1), &TINY_SHAPE, 1));
    folder.fails(
        "train --data x -o other.safetensors",
        &["checkpoint", "remove it"],
    );
}

/// The presets whose decoders see neighbours: bits that repeat the one to the left cost little.
#[test]
fn causal_models_learn_what_pixels_have_in_common() {
    // A quarter of the bits are fresh, and those are ones in a third of the cases: 14.7 bits; 59 bits,
    // if neighbours told nothing. Of a file of 400 such images headers are 4 bits each.
    learns_what_pixels_have_in_common("balanced", 25, |bit, _| bit, 30.0);
    learns_what_pixels_have_in_common("best", 25, |bit, _| bit, 30.0);
}

/// The same of levels, one of two where a bit is 1.
#[test]
fn the_gray_preset_learns_what_pixels_have_in_common() {
    // 20 bits of fresh levels, 80 if neighbours told nothing.
    let level = |bit, i: usize| bit * if i * i % 7 < 3 { 90 } else { 200 };
    learns_what_pixels_have_in_common("gray", 60, level, 50.0);
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(40, 1), &TINY_SHAPE, 1));
    folder.fails(
        "train --data x -o m.safetensors --preset gray --binarize",
        &["gray", "--binarize"],
    );
}

fn learns_what_pixels_have_in_common(
    preset: &str,
    epochs: usize,
    level: impl Fn(u16, usize) -> u16,
    most_bits: f64,
) {
    let folder = Folder::new();
    let noise = tiny_data(400, 1);
    let mut data = ndarray::Array2::zeros((400, 64));
    for (i, mut row) in data.rows_mut().into_iter().enumerate() {
        for d in 0..64 {
            let fresh = level(noise[(i, d % 30)], 64 * i + d);
            row[d] = if d % 4 == 0 { fresh } else { row[d - 1] };
        }
    }
    folder.write("x", idx(&data, &[8, 8], 1));
    folder.ok(&format!(
        "train --data x -o m.safetensors --preset {preset} --epochs {epochs}"
    ));
    folder.ok("compress x -m m.safetensors");
    folder.ok("decompress x.bbans -o y -m m.safetensors");
    assert_eq!(folder.read("x"), folder.read("y"));
    let bits = 8.0 * folder.read("x.bbans").len() as f64 / 400.0;
    assert!(bits < most_bits, "{preset}: {bits} bits an image");
    let json = folder
        .ok("bench --data x -m m.safetensors --rivals none --json")
        .stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let over = json["models"][0]["net_over_negative_elbo"]
        .as_f64()
        .unwrap();
    assert!((0.98..1.02).contains(&over), "{preset}: {over}");
    folder.write("odd", idx(&tiny_data(40, 1), &TINY_SHAPE, 1));
    folder.fails(
        &format!("train --data odd -o n.safetensors --preset {preset}"),
        &["multiples of 4", "[6, 5]"],
    );
}
