//! Several inputs: each to its own output, and a failure of one stops no other.

use std::fs;

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, tiny_data};

fn with_three() -> Folder {
    let folder = Folder::new();
    for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
        folder.write(name, idx(&tiny_data(40 + i, i as u64), &TINY_SHAPE, 1));
    }
    folder
}

#[test]
fn each_input_has_its_own_output() {
    let folder = with_three();
    let contents = ["a", "b", "c"].map(|name| folder.read(name));
    folder.ok("compress --rm a b c -q -m tiny.safetensors");
    assert_eq!(
        folder.names(),
        ["a.bbans", "b.bbans", "c.bbans", "tiny.safetensors"]
    );
    folder.ok("test a.bbans b.bbans c.bbans -m tiny.safetensors");
    folder.ok("decompress a.bbans b.bbans c.bbans -m tiny.safetensors");
    assert_eq!(["a", "b", "c"].map(|name| folder.read(name)), contents);
}

#[test]
fn a_failure_is_told_and_stops_no_other() {
    let folder = with_three();
    folder.write("b", "no data");
    let outcome = folder.run("compress --rm a nowhere b c -q -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", outcome.stderr);
    assert!(lines[0].contains("nowhere"), "{}", outcome.stderr);
    assert!(lines[1].contains("no data format"), "{}", outcome.stderr);
    assert_eq!(lines[2], "bbans: 2 of 4 inputs failed: nowhere, b");
    assert_eq!(
        folder.names(),
        ["a.bbans", "b", "c.bbans", "tiny.safetensors"]
    );
    let mut damaged = folder.read("a.bbans");
    let last = damaged.len() - 60;
    damaged[last] ^= 1;
    folder.write("a.bbans", damaged);
    let outcome = folder.run("decompress --rm a.bbans c.bbans -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.ends_with("1 of 2 inputs failed: a.bbans\n"));
    assert_eq!(folder.names(), ["a.bbans", "b", "c", "tiny.safetensors"]);
}

#[test]
fn standard_output_takes_one_after_another_and_nothing_torn() {
    let folder = with_three();
    let all = ["a", "b", "c"].map(|name| folder.read(name)).concat();
    let file = folder.ok("compress -c a b c -m tiny.safetensors").stdout;
    folder.write("all.bbans", &file);
    folder.ok("decompress all.bbans -m tiny.safetensors");
    assert_eq!(folder.read("all"), all);
    folder.ok("compress a b -q -m tiny.safetensors");
    let both = folder
        .ok("decompress -c a.bbans b.bbans -m tiny.safetensors")
        .stdout;
    assert_eq!(both, [folder.read("a"), folder.read("b")].concat());
    // What is found out before a byte is written stops no other; what is found out later does.
    let outcome = folder.run("decompress -c nowhere b.bbans -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout, folder.read("b"));
    folder.write("wide", idx(&tiny_data(3, 1), &[5, 6], 1));
    let outcome = folder.run("compress -c wide b -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stdout == folder.read("b.bbans"),
        "{}",
        outcome.stderr
    );
    let mut cut = folder.read("a.bbans");
    cut.truncate(cut.len() - 9);
    folder.write("cut.bbans", cut);
    let outcome = folder.run("decompress -c cut.bbans b.bbans -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("not begun"), "{}", outcome.stderr);
    assert!(outcome.stdout.len() <= folder.read("a").len());
    folder.fails(
        "compress a b -o y -m tiny.safetensors",
        &["-o", "one input"],
    );
    folder.fails("decompress a.bbans b.bbans -o y", &["-o", "one input"]);
}

#[test]
fn a_set_of_png_files_shares_its_file_with_nothing() {
    let folder = super::with_png_set(5);
    folder.write("a", idx(&tiny_data(3, 1), &TINY_SHAPE, 1));
    folder.ok("compress a -q -m tiny.safetensors");
    folder.ok("decompress set.bbans -m tiny.safetensors");
    let outcome = folder.run("compress -c set a -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("set: a set of PNG files"));
    let (set, a) = (folder.read("set.bbans"), folder.read("a.bbans"));
    fs::remove_dir_all(folder.path("set")).unwrap();
    folder.write("first.bbans", [set.clone(), a.clone()].concat());
    folder.write("last.bbans", [a, set].concat());
    for name in ["first.bbans", "last.bbans"] {
        for command in ["test", "decompress", "decompress -o out"] {
            let words = format!("{command} {name} -m tiny.safetensors");
            folder.fails(&words, &[name, "a set of PNG files", "alone"]);
        }
        let outcome = folder.run(&format!("inspect {name}"));
        assert_eq!(outcome.code, Some(1));
        assert!(outcome.stderr.contains("alone"), "{}", outcome.stderr);
    }
}
