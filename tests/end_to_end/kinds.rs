//! Data of every kind through the program: tables, signals, pictures in colour, raw values; and what is refused.

use std::fs;
use std::path::Path;

use crate::Folder;
use crate::support::{golden, npy_with};

/// A folder with the models and data files of version 3.
fn with_goldens() -> Folder {
    let folder = Folder::new();
    for name in [
        "symbols-of-pictures.safetensors",
        "symbols-of-signals.safetensors",
        "symbols-of-tables.safetensors",
        "symbols-of-colours.safetensors",
        "colours.npy",
        "green.npy",
        "signal.npy",
        "table.csv",
    ] {
        fs::copy(golden().join("v3").join(name), folder.path(name)).unwrap();
    }
    folder
}

#[test]
fn tables_and_signals_come_back_whole_and_in_parts() {
    let folder = with_goldens();
    for (data, model) in [
        ("colours.npy", "symbols-of-pictures.safetensors"),
        ("signal.npy", "symbols-of-signals.safetensors"),
        ("table.csv", "symbols-of-tables.safetensors"),
        ("green.npy", "symbols-of-colours.safetensors"),
    ] {
        folder.ok(&format!("compress {data} -m {model} --block 16"));
        folder.ok(&format!("test {data}.bbans -m {model}"));
        folder.ok(&format!(
            "decompress {data}.bbans -m {model} -o back-{data}"
        ));
        assert!(
            folder.read(data) == folder.read(&format!("back-{data}")),
            "{data}"
        );
        let told = folder.ok(&format!("inspect {data}.bbans")).stdout;
        let told = String::from_utf8(told).unwrap();
        assert!(told.contains("format version  3"), "{told}");
        let bench = folder.ok(&format!(
            "bench --data {data} -m {model} --limit 20 --rivals none --json"
        ));
        let figures: serde_json::Value = serde_json::from_slice(&bench.stdout).unwrap();
        assert_eq!(figures["data"]["count"], 20);
    }
    let lines = folder.read("table.csv");
    let lines: Vec<&[u8]> = lines.split_inclusive(|&b| b == b'\n').collect();
    let cat = folder.ok("cat table.csv.bbans 17 -m symbols-of-tables.safetensors");
    assert_eq!(cat.stdout, [lines[0], lines[18]].concat());
    folder.ok(
        "decompress table.csv.bbans -m symbols-of-tables.safetensors --range 200..203 -o part.csv",
    );
    assert_eq!(
        folder.read("part.csv"),
        [lines[0], lines[201], lines[202], lines[203]].concat()
    );
    for (of, expected) in [
        ("300", "there are no data 300..301"),
        ("x.png", "no pictures with names"),
    ] {
        folder.fails(
            &format!("cat table.csv.bbans {of} -m symbols-of-tables.safetensors"),
            &[expected],
        );
    }
    folder.fails(
        "compress table.csv -m symbols-of-signals.safetensors -o x",
        &["the data are a table"],
    );
    folder.fails(
        "compress signal.npy -m symbols-of-tables.safetensors -o x",
        &["expected a CSV file"],
    );
}

#[test]
fn samples_are_data_of_their_kind() {
    let folder = with_goldens();
    folder.ok("sample -m symbols-of-tables.safetensors -n 30 -o drawn.csv");
    folder.ok("compress drawn.csv -m symbols-of-tables.safetensors");
    let text = String::from_utf8(folder.read("drawn.csv")).unwrap();
    assert!(
        text.starts_with("cut,carat,year,always\n") && text.lines().count() == 31,
        "{text}"
    );
    folder.ok("sample -m symbols-of-signals.safetensors -n 4 -o drawn.npy");
    let npy = folder.read("drawn.npy");
    assert!(String::from_utf8_lossy(&npy).contains("'<i2'"));
    folder.ok("sample -m symbols-of-pictures.safetensors -n 4 -o drawn.png");
    // Symbols that are no colours are drawn too.
    folder.ok("sample -m symbols-of-colours.safetensors -n 40 -o drawn-colours.npy");
    folder.ok("compress drawn-colours.npy -m symbols-of-colours.safetensors");
    folder.ok("sample -m symbols-of-colours.safetensors -n 4 -o drawn-colours.png");
    folder.fails(
        "sample -m symbols-of-tables.safetensors -o drawn.idx",
        &["write .csv"],
    );
}

/// Names that the model does not have are a line of names all the same.
#[test]
fn a_table_with_other_names_is_cut_at_the_same_lines() {
    let folder = with_goldens();
    let table = String::from_utf8(folder.read("table.csv")).unwrap();
    let (_, records) = table.split_once("\r\n").unwrap();
    folder.write("other.csv", format!(" w, x,y,z\r\n{records}"));
    folder.ok("compress other.csv -m symbols-of-tables.safetensors");
    let cat = folder.ok("cat other.csv.bbans 3 -m symbols-of-tables.safetensors");
    let expected = records.split_inclusive('\n').nth(3).unwrap();
    let cat = String::from_utf8(cat.stdout).unwrap();
    assert_eq!(cat, format!(" w, x,y,z\r\n{expected}"));
}

/// Rivals are measured on what gives the file back, with what no symbol says.
#[test]
fn rivals_are_given_what_the_symbols_do_not_say() {
    let folder = with_goldens();
    let mut rng = 1u64;
    let mut records = String::from("cut,carat,year,always\n");
    for i in 0..300 {
        rng = rng
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let carat = if i % 3 == 0 {
            rng.to_string()
        } else {
            "NA".to_owned()
        };
        records += &format!("Ideal,{carat},1900,x\n");
    }
    folder.write("odd.csv", &records);
    let bench = folder.ok(
        "bench --data odd.csv -m symbols-of-tables.safetensors --rivals built-in --samples 1 --json",
    );
    let figures: serde_json::Value = serde_json::from_slice(&bench.stdout).unwrap();
    let rivals = figures["rivals"].as_array().unwrap();
    let bytes = rivals.iter().filter_map(|rival| rival["bytes"].as_u64());
    // A hundred numbers of 64 bits are in every file.
    assert!(bytes.min().unwrap() > 700, "{rivals:?}");
}

/// A pipe with a name is read once, from its beginning to its end.
#[cfg(unix)]
#[test]
fn nothing_of_a_pipe_is_lost() {
    let folder = with_goldens();
    let content = folder.read("signal.npy").repeat(60);
    let values: Vec<u8> = content[..content.len() / 14 * 14].to_vec();
    let status = std::process::Command::new("mkfifo")
        .arg(folder.path("pipe"))
        .status();
    assert!(status.unwrap().success());
    let path = folder.path("pipe");
    let bytes = values.clone();
    let writer = std::thread::spawn(move || fs::write(path, bytes).unwrap());
    folder.ok("compress pipe --raw 7,i16 -m symbols-of-signals.safetensors -o c.bbans");
    writer.join().unwrap();
    folder.ok("decompress c.bbans -m symbols-of-signals.safetensors -o back");
    assert!(folder.read("back") == values);
    let path = folder.path("pipe");
    let writer = std::thread::spawn(move || fs::write(path, b"a,b\n1,2\n3,4\n").is_ok());
    let refused = folder.run("train --data pipe -o x");
    assert!(
        refused.stderr.contains("expected a file, not a pipe"),
        "{}",
        refused.stderr
    );
    writer.join().unwrap();
}

/// Trained for an epoch, a model takes what it was trained on.
#[test]
fn models_of_every_kind_are_trained_and_used() {
    let folder = Folder::new();
    let table: String = (0..300)
        .map(|i| {
            format!(
                "{},{:.1},{}\r\n",
                ["red", "$levels", "$3,7"][i * 7 % 3],
                i as f64 / 10.0,
                i * i % 5000
            )
        })
        .collect();
    let table = table.replace("$3,7", "\"$3,7\"");
    folder.write("t.csv", format!("$colour,height,area\r\n{table}"));
    let signal: Vec<u8> = (0..3000i32)
        .flat_map(|i| ((600.0 * (f64::from(i) / 30.0).sin()) as i16 - 100).to_be_bytes())
        .collect();
    folder.write("s.raw", signal);
    pictures(&folder.path("p"));
    let names: Vec<String> = (0..64).map(|i| format!("p{i}")).collect();
    let labelled: String = (0..100)
        .map(|k| {
            let pixels: Vec<String> = (0..64).map(|i| (k * i % 17).to_string()).collect();
            format!("{},{}\n", ["seven", "one"][k % 2], pixels.join(","))
        })
        .collect();
    folder.write("l.csv", format!("label,{}\n{labelled}", names.join(",")));
    for (data, options, why) in [
        ("t.csv", "", "preset table"),
        ("l.csv", "", "preset small"),
        ("s.raw", "--raw 100,i16be", "preset signal"),
        ("p", "", "preset pixels"),
        ("p", "--green-first --preset pixels", "training -ELBO"),
    ] {
        let told = folder
            .ok(&format!(
                "train --data {data} {options} --epochs 1 --all -f -o m.safetensors"
            ))
            .stderr;
        assert!(told.contains(why), "{told}");
        let raw = options
            .strip_prefix("--raw")
            .map_or(String::new(), |_| options.to_owned());
        folder.ok(&format!(
            "compress {data} -m m.safetensors {raw} -f -o c.bbans"
        ));
        let back = folder.path("back");
        let _ = fs::remove_dir_all(&back).or_else(|_| fs::remove_file(&back));
        folder.ok("decompress c.bbans -m m.safetensors -f -o back");
        if data == "p" {
            for name in ["a.png", "sub/b.png", "sub/c.png"] {
                let read = |root: &str| decoded(&folder.path(root).join(name));
                assert_eq!(read("p"), read("back"), "{name}");
            }
            let cat = folder.ok("cat c.bbans b.png -m m.safetensors");
            folder.write("b.png", cat.stdout);
            assert_eq!(
                decoded(&folder.path("b.png")),
                decoded(&folder.path("p/sub/b.png"))
            );
        } else {
            assert!(folder.read(data) == folder.read("back"), "{data}");
        }
    }
}

/// Colour, of 16 bits, in two folders, one with a text.
fn pictures(folder: &Path) {
    fs::create_dir_all(folder.join("sub")).unwrap();
    for (k, name) in ["a.png", "sub/b.png", "sub/c.png"].into_iter().enumerate() {
        let file = fs::File::create(folder.join(name)).unwrap();
        let mut encoder = png::Encoder::new(file, 9, 8);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Sixteen);
        if k == 1 {
            encoder
                .add_text_chunk("Title".into(), "the second".into())
                .unwrap();
        }
        let value = |i: usize| (700 * k + 13 * i) as u16 % 4096;
        let data: Vec<u8> = (0..9 * 8 * 3)
            .flat_map(|i| value(i).to_be_bytes())
            .collect();
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&data)
            .unwrap();
    }
}

/// Pixels and texts.
fn decoded(path: &Path) -> (Vec<u8>, Vec<String>) {
    let file = std::io::Cursor::new(fs::read(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let texts = &reader.info().uncompressed_latin1_text;
    (pixels, texts.iter().map(|t| t.text.clone()).collect())
}

/// One line each, and nothing is written.
#[test]
fn what_cannot_come_back_is_refused() {
    let folder = with_goldens();
    fs::create_dir(folder.path("mixed")).unwrap();
    pictures(&folder.path("mixed"));
    let mut encoder =
        png::Encoder::new(fs::File::create(folder.path("mixed/z.png")).unwrap(), 3, 3);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&[0; 27])
        .unwrap();
    let mut encoder =
        png::Encoder::new(fs::File::create(folder.path("palette.png")).unwrap(), 2, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(vec![0; 6]);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&[0, 1])
        .unwrap();
    fs::create_dir(folder.path("other")).unwrap();
    pictures(&folder.path("other"));
    folder.write("other/sub/notes.txt", "lost?");
    folder.write("short.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n");
    let names: String = (0..6000)
        .map(|i| format!("{i},name {i} of many\n"))
        .collect();
    folder.write("names.csv", format!("n,name\n{names}"));
    folder.write(
        "halves.npy",
        npy_with(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }",
            &[0.5f64, 1.0, f64::NAN, 2.0].map(f64::to_le_bytes).concat(),
        ),
    );
    folder.write(
        "complex.npy",
        npy_with(
            "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2), }",
            &[0; 32],
        ),
    );
    folder.write("odd.raw", [0; 33]);
    folder.write(
        "wide.npy",
        npy_with(
            "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 1), }",
            &[0i32, 1, 1 << 20].map(i32::to_le_bytes).concat(),
        ),
    );
    let before = folder.names();
    for (command, expected) in [
        (
            "compress mixed -m symbols-of-pictures.safetensors -o x",
            "shape",
        ),
        ("train --data mixed -o x", "all must be alike"),
        ("compress palette.png -o x", "a palette"),
        ("train --data other -o x", "notes.txt"),
        ("train --data short.csv -o x", "line 3"),
        ("train --data names.csv -o x", "leave the column out"),
        ("train --data halves.npy -o x", "no whole numbers"),
        ("train --data complex.npy -o x", "<c8"),
        (
            "train --data odd.raw --raw 8,u8 -o x",
            "expected a multiple of 8 bytes",
        ),
        ("train --data wide.npy -o x", "at most 65,536"),
        ("train --data signal.npy --shape 99 -o x", "multiple of 99"),
        (
            "compress signal.npy --raw 8,u3 -o x",
            "expected one of bool",
        ),
        ("compress signal.npy --raw 8 -o x", "SHAPE,TYPE"),
        (
            "train --data colours.npy --shape 9 -o x",
            "--shape is for a file that is one long row",
        ),
        (
            "sample -m symbols-of-signals.safetensors -o x.jpg",
            "not written as .jpg",
        ),
        (
            "train --data table.csv --preset signal -o x",
            "expected table or small",
        ),
    ] {
        let refused = folder.run(command);
        assert!(refused.code != Some(0), "{command}");
        assert!(
            refused.stderr.contains(expected),
            "{command}: {}",
            refused.stderr
        );
        assert_eq!(folder.names(), before, "{command}");
    }
}
