//! PNG: names and pixels come back.

use std::fs;
use std::path::Path;

use crate::Folder;
use crate::support::tiny_data;

fn write_png(path: &Path, pixels: &[u8], depth: png::BitDepth) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), 5, 6);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    let data: Vec<u8> = match depth {
        png::BitDepth::One => pixels
            .chunks(5)
            .map(|r| r.iter().enumerate().fold(0, |b, (i, v)| b | v << (7 - i)))
            .collect(),
        _ => pixels.iter().map(|v| v * 255).collect(),
    };
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&data)
        .unwrap();
}

fn pixels(path: &Path) -> (png::BitDepth, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(fs::read(path).unwrap()))
        .read_info()
        .unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut data).unwrap();
    (reader.info().bit_depth, data)
}

#[test]
fn folders_and_single_files_come_back() {
    let folder = Folder::new();
    for (name, depth) in [("one", png::BitDepth::One), ("eight", png::BitDepth::Eight)] {
        fs::create_dir(folder.path(name)).unwrap();
        let data = tiny_data(12, 1);
        for (i, row) in data.rows().into_iter().enumerate() {
            write_png(
                &folder.path(name).join(format!("digit {i:03}.png")),
                &row.mapv(|bit| bit as u8).to_vec(),
                depth,
            );
        }
        let told = folder
            .ok(&format!("compress {name} -m tiny.safetensors"))
            .stderr;
        assert!(
            told.contains("not the PNG files' own compression"),
            "{told}"
        );
        folder.ok(&format!("test {name}.bbans -m tiny.safetensors"));
        folder.ok(&format!(
            "decompress {name}.bbans -o {name}-back -m tiny.safetensors"
        ));
        for i in 0..12 {
            let file = format!("digit {i:03}.png");
            let (original, back) = (
                folder.path(name).join(&file),
                folder.path(&format!("{name}-back")).join(&file),
            );
            assert_eq!(pixels(&original), pixels(&back));
        }
        folder.fails(
            &format!("decompress {name}.bbans -m tiny.safetensors"),
            &["exists"],
        );
        let streamed = folder.run(&format!("decompress {name}.bbans -c -m tiny.safetensors"));
        assert_eq!(streamed.code, Some(1));
        assert!(streamed.stderr.contains("folder"), "{}", streamed.stderr);
    }
    fs::copy(folder.path("one/digit 003.png"), folder.path("single.png")).unwrap();
    folder.ok("compress single.png -m tiny.safetensors");
    folder.ok("decompress single.png.bbans -o back.png -m tiny.safetensors");
    assert_eq!(
        pixels(&folder.path("single.png")),
        pixels(&folder.path("back.png"))
    );
    folder.fails("compress single.png --rm -f -m tiny.safetensors", &["--rm"]);
    let (mut one, two) = (folder.read("one.bbans"), folder.read("eight.bbans"));
    one.extend(two);
    folder.write("both.bbans", one);
    folder.fails(
        "decompress both.bbans -o both -m tiny.safetensors",
        &["PNG", "alone"],
    );
}

#[test]
fn folders_that_cannot_be_restored_are_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path("set")).unwrap();
    folder.fails("compress set -m tiny.safetensors", &["no picture"]);
    write_png(&folder.path("set/a.png"), &[0; 30], png::BitDepth::Eight);
    write_png(&folder.path("set/b.png"), &[0; 30], png::BitDepth::One);
    folder.fails("compress set -m tiny.safetensors", &["b.png", "alike"]);
    fs::remove_file(folder.path("set/b.png")).unwrap();
    fs::write(folder.path("set/notes.txt"), "").unwrap();
    folder.fails(
        "compress set -m tiny.safetensors",
        &["notes.txt", "would be lost"],
    );
}
