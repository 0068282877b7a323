//! What would be lost silently is refused or told.

use super::{png, with_data};
use crate::Folder;
use crate::support::{TINY_SHAPE, idx, npy_with, tiny_data};

#[test]
fn transparency_is_kept_and_further_frames_are_refused() {
    let folder = Folder::new();
    folder.write("plain.png", png(5, 6, &[255; 30], |_| {}));
    folder.ok("compress plain.png -m tiny.safetensors");
    let clear = png(5, 6, &[255; 30], |e| e.set_trns(vec![0, 255]));
    folder.write("clear.png", clear);
    folder.ok("compress clear.png -m tiny.safetensors");
    folder.ok("decompress clear.png.bbans -o back.png -m tiny.safetensors");
    assert!(folder.read("back.png").windows(4).any(|w| w == b"tRNS"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 5, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[255; 30]).unwrap();
    writer.write_image_data(&[0; 30]).unwrap();
    writer.finish().unwrap();
    folder.write("moving.png", bytes);
    folder.fails(
        "compress moving.png -m tiny.safetensors",
        &["moving.png", "animated"],
    );
}

#[test]
fn values_of_other_types_come_back_or_are_refused() {
    let folder = Folder::new();
    for (descr, size) in [("<u2", 2), ("<i8", 8), ("<f4", 4)] {
        let dictionary =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1, 30), }}");
        folder.write("x.npy", npy_with(&dictionary, &[0; 240][..30 * size]));
        folder.ok("compress x.npy -f -m tiny.safetensors");
        folder.ok("decompress x.npy.bbans -f -o y.npy -m tiny.safetensors");
        assert!(folder.read("x.npy") == folder.read("y.npy"), "{descr}");
    }
    // Halves are no whole numbers, and most of the values.
    let halves = [0.5f32; 30].map(f32::to_le_bytes).concat();
    let dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 30), }";
    folder.write("halves.npy", npy_with(dictionary, &halves));
    folder.fails(
        "compress halves.npy -m tiny.safetensors",
        &["30 of 30 values are none"],
    );
}

#[test]
fn a_file_larger_than_its_input_is_told() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(1, 1), &TINY_SHAPE, 1));
    let told = folder
        .ok("compress x -m tiny.safetensors --format 1")
        .stderr;
    assert!(told.contains("larger than its input"), "{told}");
    let bytes = super::gzip([idx(&tiny_data(60, 1), &TINY_SHAPE, 0)].into_iter());
    folder.write("z.gz", bytes);
    let told = folder
        .ok("compress z.gz -m tiny.safetensors --format 1")
        .stderr;
    assert!(told.contains("z.bbans is larger than its input"), "{told}");
    assert_eq!(folder.ok("compress x -f -q -m tiny.safetensors").stderr, "");
    let told = with_data(5000)
        .ok("compress x -f -m tiny.safetensors")
        .stderr;
    assert!(!told.contains("larger"), "{told}");
}
