//! What comes in comes out, by every way in and out.

use std::fs;

use crate::Folder;
use crate::support::{TINY_SHAPE, amat, idx, npy, tiny_data};

#[test]
fn every_format_comes_back_byte_for_byte() {
    let folder = Folder::new();
    let data = tiny_data(123, 1);
    for (name, content) in [
        ("a.idx", idx(&data, &TINY_SHAPE, 1)),
        ("b-ubyte", idx(&data, &TINY_SHAPE, 255)),
        ("c.amat", amat(&data, " ", "\n")),
        ("d.npy", npy(&data, &TINY_SHAPE)),
    ] {
        folder.write(name, &content);
        folder.ok(&format!("compress {name} --model tiny.safetensors"));
        assert_eq!(folder.read(name), content, "the input is kept");
        let compressed = format!("{name}.bbans");
        folder.ok(&format!("test {compressed} --model tiny.safetensors"));
        folder.ok(&format!(
            "decompress {compressed} -o restored -f -m tiny.safetensors"
        ));
        assert_eq!(folder.read("restored"), content, "{name}");
    }
}

/// What version 2 of the format is asked for by; version 1 has no particles.
#[test]
fn version_2_comes_back_with_particles_and_packed() {
    let folder = Folder::new();
    // Even bits, which the model would make larger.
    let content = idx(&tiny_data(123, 1), &TINY_SHAPE, 255);
    folder.write("a", &content);
    for (options, version) in [
        ("--format 1", 1),
        ("", 2),
        ("--particles 3", 2),
        ("--particles 3 --uncoupled", 2),
    ] {
        let told = folder
            .ok(&format!("compress a -f -m tiny.safetensors {options}"))
            .stderr;
        assert_eq!(
            told.contains("1 of 1 blocks are packed"),
            version == 2,
            "{told}"
        );
        assert_eq!(folder.read("a.bbans")[8], version);
        folder.ok("test a.bbans -m tiny.safetensors");
        folder.ok("decompress a.bbans -f -o b -m tiny.safetensors");
        assert_eq!(folder.read("b"), content);
        let shown = String::from_utf8(folder.ok("inspect a.bbans").stdout).unwrap();
        let uncoupled = options.contains("uncoupled");
        assert_eq!(shown.contains("3, not coupled"), uncoupled, "{shown}");
    }
    // Particles that are not coupled are several, and not more in a step than it may have data.
    for (options, expected) in [
        ("--uncoupled", "--particles"),
        ("--particles 1 --uncoupled", "2 or more"),
        ("--particles 65 --uncoupled", "at most 4096"),
    ] {
        let outcome = folder.run(&format!("compress a -o c -m tiny.safetensors {options}"));
        assert!(outcome.code != Some(0), "{options}");
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    }
    for option in ["--particles 3", "--unordered", "--independent"] {
        folder.fails(
            &format!("compress a -o c -m tiny.safetensors --format 1 {option}"),
            &[option, "format 1"],
        );
    }
    folder.fails(
        "bench --data a -m tiny.safetensors --format 1 --particles 3",
        &["--particles 3", "format 1"],
    );
}

/// The data of a set come back in ascending order, and in fewer bytes.
#[test]
fn a_set_comes_back_in_ascending_order() {
    let folder = Folder::new();
    let data = crate::support::tiny_data(200, 1);
    folder.write("a", idx(&data, &TINY_SHAPE, 1));
    folder.ok("compress a -o list -m tiny.safetensors --format 1");
    folder.ok("compress a -o set -m tiny.safetensors --unordered");
    folder.ok("decompress set -o b -m tiny.safetensors");
    assert!(folder.read("set").len() < folder.read("list").len());
    let rows = |name: &str| {
        let content = folder.read(name);
        let start = content.len() - 200 * 30;
        content[start..]
            .chunks(30)
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
    };
    let mut expected = rows("a");
    expected.sort();
    assert_eq!(rows("b"), expected);
    assert!(
        folder
            .ok("inspect set")
            .stdout
            .windows(8)
            .any(|w| w == b"no order")
    );
}

/// One datum of a file, as a file of its own.
#[test]
fn a_datum_is_restored_alone() {
    let folder = Folder::new();
    let data = crate::support::tiny_data(20, 1);
    folder.write("a", idx(&data, &TINY_SHAPE, 255));
    folder.write("a.amat", crate::support::amat(&data, " ", "\n"));
    folder.write("a.npy", crate::support::npy(&data, &TINY_SHAPE));
    folder.ok("compress a a.amat a.npy -m tiny.safetensors --independent");
    let one = data.row(7).to_owned().insert_axis(ndarray::Axis(0));
    folder.ok("decompress a.bbans --datum 7 -o one -m tiny.safetensors");
    assert_eq!(folder.read("one"), idx(&one, &TINY_SHAPE, 255));
    let text = folder.ok("decompress a.amat.bbans --datum 7 -c -m tiny.safetensors");
    assert_eq!(text.stdout, crate::support::amat(&one, " ", "\n"));
    folder.ok("decompress a.npy.bbans --datum 7 -o one.npy -m tiny.safetensors");
    assert!(
        folder
            .read("one.npy")
            .ends_with(&crate::support::bytes(&one))
    );
    folder.fails(
        "decompress a.bbans --datum 20 -o two -m tiny.safetensors",
        &["no data 20..21", "has 20"],
    );
    folder.fails("decompress a.bbans --datum 7 -m tiny.safetensors", &["-o"]);
    folder.fails(
        "decompress --datum 7 -c -m tiny.safetensors",
        &["standard input"],
    );
    folder.ok("compress a -o b -m tiny.safetensors");
    let of_all = folder.ok("decompress b --datum 7 -c -m tiny.safetensors");
    assert_eq!(of_all.stdout, idx(&one, &TINY_SHAPE, 255));
}

#[test]
fn gzip_is_taken_off() {
    let folder = Folder::new();
    let content = amat(&tiny_data(20, 1), " ", "\n");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gz, &content).unwrap();
    folder.write("set.amat.gz", gz.finish().unwrap());
    folder.ok("compress set.amat.gz -m tiny.safetensors");
    folder.ok("decompress set.amat.bbans -m tiny.safetensors");
    assert_eq!(folder.read("set.amat"), content);
}

#[test]
fn pipes_work_both_ways() {
    let folder = Folder::new();
    let content = idx(&tiny_data(50, 2), &TINY_SHAPE, 1);
    for words in [
        "compress -m tiny.safetensors",
        "compress - -c -m tiny.safetensors",
    ] {
        let compressed = folder.run_with(words, &content);
        assert_eq!((compressed.code, compressed.stderr.as_str()), (Some(0), ""));
        let restored = folder.run_with("decompress -m tiny.safetensors", &compressed.stdout);
        assert_eq!((restored.code, restored.stdout), (Some(0), content.clone()));
        let tested = folder.run_with("test - -m tiny.safetensors", &compressed.stdout);
        assert_eq!(tested.code, Some(0));
    }
}

#[test]
fn concatenated_files_restore_the_concatenated_bytes() {
    let folder = Folder::new();
    let (one, two) = (
        amat(&tiny_data(5, 1), " ", "\n"),
        idx(&tiny_data(7, 2), &TINY_SHAPE, 1),
    );
    let compress = |content: &[u8]| {
        folder
            .run_with("compress -m tiny.safetensors", content)
            .stdout
    };
    folder.write("both.bbans", [compress(&one), compress(&two)].concat());
    folder.ok("decompress both.bbans -m tiny.safetensors");
    assert_eq!(folder.read("both"), [one, two].concat());
    let inspected = folder.ok("inspect both.bbans");
    assert_eq!(
        String::from_utf8_lossy(&inspected.stdout)
            .matches("format version")
            .count(),
        2
    );
    let mut more = folder.read("both.bbans");
    more.extend(b"and more");
    folder.write("more.bbans", more);
    folder.fails(
        "decompress more.bbans -m tiny.safetensors",
        &["after the end of a complete file"],
    );
}

#[test]
fn sets_of_one_none_and_blank_come_back() {
    let folder = Folder::new();
    for (name, count, one) in [("one", 1, 1), ("none", 0, 1), ("blank", 5001, 0)] {
        let content = idx(&tiny_data(count, 1).mapv(|b| b * one), &TINY_SHAPE, 1);
        folder.write(name, &content);
        folder.ok(&format!("compress {name} -m tiny.safetensors"));
        folder.ok(&format!(
            "decompress {name}.bbans -o back -f -m tiny.safetensors"
        ));
        assert_eq!(folder.read("back"), content, "{name}");
    }
    folder.write("empty.amat", "");
    folder.ok("compress empty.amat -m tiny.safetensors");
    folder.ok("decompress empty.amat.bbans -f -m tiny.safetensors");
    assert_eq!(folder.read("empty.amat"), b"");
}

#[test]
fn threads_change_no_byte_and_lanes_are_kept_in_the_file() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(12_001, 1), &TINY_SHAPE, 1));
    folder.ok("compress x -m tiny.safetensors -o one --threads 1 --lanes 16");
    folder.ok("compress x -m tiny.safetensors -o three --threads 3 --lanes 16");
    assert_eq!(folder.read("one"), folder.read("three"));
    folder.ok("decompress one -o y -m tiny.safetensors --threads 2");
    assert_eq!(folder.read("x"), folder.read("y"));
    let json = folder.ok("inspect one --json").stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&json["lanes"], &json["count"]),
        (&16.into(), &12_001.into())
    );
    assert_eq!(json["blocks"].as_array().unwrap().len(), 3);
    assert_eq!(json["file_bytes"], folder.read("one").len());
}

#[test]
fn the_input_is_removed_only_on_request_and_only_once_compared() {
    let folder = Folder::new();
    let content = idx(&tiny_data(40, 1), &TINY_SHAPE, 1);
    folder.write("x", &content);
    folder.ok("compress x --rm -m tiny.safetensors");
    assert!(!folder.path("x").exists());
    folder.ok("decompress x.bbans --rm -m tiny.safetensors");
    assert!(!folder.path("x.bbans").exists());
    assert_eq!(folder.read("x"), content);
}

#[test]
fn samples_are_a_data_set_and_a_picture() {
    let folder = Folder::new();
    folder.ok("sample -m tiny.safetensors -n 30 --seed 4 -o s.amat");
    folder.ok("sample -m tiny.safetensors -n 30 --seed 4 -o s.idx");
    folder.ok("compress s.amat -m tiny.safetensors");
    let bits = |bytes: &[u8]| {
        bytes
            .iter()
            .filter(|b| b.is_ascii_digit())
            .map(|b| b - b'0')
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&folder.read("s.amat")), folder.read("s.idx")[16..]);
    folder.ok("sample -m tiny.safetensors -n 30 --seed 4 -o s.png");
    let decoder = png::Decoder::new(std::io::Cursor::new(folder.read("s.png")));
    let info = decoder.read_info().unwrap().info().clone();
    assert_eq!((info.width, info.height), (6 * 5, 5 * 6));
}

#[test]
fn grey_data_become_binary_on_request() {
    let folder = Folder::new();
    let mut grey = idx(&tiny_data(40, 1), &TINY_SHAPE, 1);
    for (i, value) in grey[16..].iter_mut().enumerate() {
        *value = (i * 7 % 256) as u8;
    }
    folder.write("grey", &grey);
    folder.fails(
        "compress grey -m tiny.safetensors",
        &["grey", "bbans binarize"],
    );
    folder.ok("binarize grey -o half");
    let half = folder.read("half");
    assert!(
        half[16..]
            .iter()
            .zip(&grey[16..])
            .all(|(&b, &g)| b == u8::from(g >= 128))
    );
    folder.ok("binarize grey -o drawn --stochastic --seed 3");
    folder.ok("binarize grey -o again --stochastic --seed 3");
    assert_eq!(folder.read("drawn"), folder.read("again"));
    let drawn = folder.read("drawn");
    let extremes = |g: u8, b: u8| {
        drawn[16..]
            .iter()
            .zip(&grey[16..])
            .all(|(&d, &v)| v != g || d == b)
    };
    assert!(extremes(0, 0) && extremes(255, 1));
    let ones: usize = drawn[16..].iter().map(|&b| usize::from(b)).sum();
    assert!((500..700).contains(&ones), "{ones} of 1200");
    folder.ok("compress drawn -m tiny.safetensors");
}

#[test]
fn an_existing_output_is_kept_without_force() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(4, 1), &TINY_SHAPE, 1));
    folder.write("x.bbans", "mine");
    folder.fails("compress x -m tiny.safetensors", &["x.bbans exists", "-f"]);
    assert_eq!(folder.read("x.bbans"), b"mine");
    folder.ok("compress x -f -m tiny.safetensors");
    folder.fails(
        "decompress x.bbans -m tiny.safetensors",
        &["x exists", "-f"],
    );
    assert_eq!(fs::read(folder.path("x")).unwrap().len(), 16 + 120);
    #[cfg(unix)]
    folder.ok("compress x -o /dev/null -m tiny.safetensors");
}
