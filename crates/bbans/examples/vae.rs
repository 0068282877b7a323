//! A VAE from a model file: compress a few of its own samples to a file in memory, and restore them.
//!
//! Run it with `cargo run --release -p bbans --example vae -- MODEL.safetensors`; without an argument
//! it takes the model mnist-binary-small of this repository.

use std::error::Error;
use std::io::Cursor;

use bbans::{DataReader, LatentModel, Options, VaeModel};

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

    let reader = DataReader::open(Cursor::new(text.clone()), "samples.amat")?;
    let mut file = Vec::new();
    let report = bbans::compress(&model, reader, &mut file, Options::default(), &mut |_| {})?;
    println!(
        "{} images of {} pixels: {} bytes of text, {} bytes compressed, {:.4} bits/dim",
        report.count,
        model.dims(),
        report.input_bytes,
        report.file_bytes,
        report.gross_bits_per_dim()
    );

    let mut input = file.as_slice();
    let header = bbans::container::Header::read(&mut input)?.ok_or("an empty file")?;
    let path = std::env::temp_dir().join(format!("bbans-example-{}.amat", std::process::id()));
    let target = bbans::data::Target::Stream(Box::new(std::fs::File::create(&path)?));
    let writer = bbans::DataWriter::new(header.source.clone(), model.dims(), target)?;
    bbans::decompress(
        &model,
        &header,
        &mut input,
        writer,
        Options::default().threads,
        &mut |_| {},
    )?;
    let restored = std::fs::read_to_string(&path)?;
    std::fs::remove_file(&path)?;
    assert_eq!(restored, text, "every byte comes back");
    Ok(())
}

#[test]
fn samples_come_back() -> Result<(), Box<dyn Error>> {
    run(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/mnist-binary-small.safetensors"
    ))
}
