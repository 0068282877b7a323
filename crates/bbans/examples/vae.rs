//! A VAE from a model file: compress a few of its own samples to a file in memory, and restore them.
//!
//! Run it with `cargo run --release -p bbans --example vae -- MODEL.safetensors`; without an argument
//! it takes the model mnist-binary-small of this repository.

use std::error::Error;

use bbans::{LatentModel, Options, VaeModel};

fn main() -> Result<(), Box<dyn Error>> {
    let built_in = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/mnist-binary-small.safetensors"
    );
    run(&std::env::args()
        .nth(1)
        .unwrap_or_else(|| built_in.to_owned()))
}

fn run(path: &str) -> Result<(), Box<dyn Error>> {
    let model = VaeModel::from_bytes(&std::fs::read(path)?)?;
    let images = bbans::sample(&model, 50, 1, 0)?;

    // As .amat text: a line for each datum.
    let mut text = String::new();
    for image in images.rows() {
        let line: Vec<String> = image.iter().map(ToString::to_string).collect();
        text.push_str(&line.join(" "));
        text.push('\n');
    }

    let file = bbans::compress_bytes(&model, text.as_bytes(), Options::default())?;
    println!(
        "{} images of {} pixels: {} bytes of text, {} bytes compressed, {:.4} bits/dim",
        images.nrows(),
        model.dims(),
        text.len(),
        file.len(),
        8.0 * file.len() as f64 / images.len() as f64
    );

    let restored = bbans::decompress_bytes(&model, &file, Options::default())?;
    assert_eq!(restored, text.as_bytes(), "every byte comes back");
    Ok(())
}

#[test]
fn samples_come_back() -> Result<(), Box<dyn Error>> {
    run(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/mnist-binary-small.safetensors"
    ))
}
