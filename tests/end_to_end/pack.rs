//! Archives that carry their model.

use ndarray::Array2;

use crate::Folder;
use crate::support::{TINY_SHAPE, idx, npy, tiny_data};

/// Pictures of two kinds, with a little noise.
fn pictures(count: usize) -> Array2<u16> {
    let noise = tiny_data(count, 1);
    Array2::from_shape_fn((count, 30), |(i, d)| {
        u16::from((d < 15) == (i % 2 == 0)) ^ (noise[[i, d]] & u16::from(d % 7 == 0))
    })
}

fn inspected(folder: &Folder, name: &str) -> serde_json::Value {
    let told = folder.ok(&format!("inspect --json {name}"));
    serde_json::from_slice(&told.stdout).unwrap()
}

#[test]
fn an_archive_needs_nothing_else() {
    let folder = Folder::new();
    folder.write("x.npy", npy(&pictures(900), &TINY_SHAPE));
    let told = folder.ok("pack x.npy -o x.npy.bbans --epochs 20 --rivals built-in");
    let table = String::from_utf8(told.stdout).unwrap();
    for expected in ["of data and", "bbans pack", "gzip -9", "than"] {
        assert!(table.contains(expected), "{table}");
    }
    assert!(
        told.stderr
            .contains("the same model again: --network stack"),
        "{}",
        told.stderr
    );
    let found = inspected(&folder, "x.npy.bbans");
    assert_eq!(found["version"], 4);
    let (model, whole) = (
        found["model_bytes"].as_u64().unwrap(),
        folder.read("x.npy.bbans").len(),
    );
    assert!(model > 100 && (model as usize) < whole, "{model} {whole}");
    // Nine of thirty pixels are noise at most, and all others follow from the first one.
    assert!(whole < 900 * 9 / 8 + 2000, "{whole}");
    std::fs::rename(folder.path("x.npy"), folder.path("was.npy")).unwrap();
    folder.ok("unpack x.npy.bbans");
    assert_eq!(folder.read("x.npy"), folder.read("was.npy"));
    folder.ok("test x.npy.bbans");
    assert_eq!(
        folder.ok("cat x.npy.bbans 3").stdout,
        folder.ok("decompress x.npy.bbans --datum 3 -c").stdout
    );
    // The model by itself, packed and not, and what it is good for.
    folder.ok("models extract x.npy.bbans -o m.safetensors");
    folder.ok("models extract x.npy.bbans -o m.bbmodel");
    for model in ["m.safetensors", "m.bbmodel", "x.npy.bbans"] {
        folder.ok(&format!("compress was.npy -o again.bbans -f -m {model}"));
        folder.ok(&format!("decompress again.bbans -o y.npy -f -m {model}"));
        assert_eq!(folder.read("y.npy"), folder.read("was.npy"));
    }
    assert_eq!(folder.read("m.bbmodel").len() as u64, model + 8);
    let none = ["x.npy.bbans.checkpoint", "x.npy.bbans.plan.json"];
    assert!(none.iter().all(|name| !folder.path(name).exists()));
    folder.fails(
        "pack was.npy -o x.npy.bbans --epochs 1 --rivals none",
        &["x.npy.bbans exists"],
    );
}

#[test]
fn the_same_options_make_the_same_archive() {
    let folder = Folder::new();
    folder.write("x", idx(&pictures(300), &TINY_SHAPE, 1));
    for name in ["a", "b"] {
        folder.ok(&format!(
            "pack x -o {name}.bbans --network stack --weights 300 --epochs 3 --seed 7 --rivals none -q"
        ));
    }
    assert!(folder.read("a.bbans") == folder.read("b.bbans"));
}

#[test]
fn several_inputs_share_a_model_that_lies_beside_them() {
    let folder = Folder::new();
    let data = pictures(500);
    let parts = [("a.npy", 0..200), ("b.npy", 200..500)];
    for (name, rows) in parts {
        let part = data
            .slice_axis(ndarray::Axis(0), ndarray::Slice::from(rows))
            .to_owned();
        folder.write(name, npy(&part, &TINY_SHAPE));
    }
    folder.ok("pack a.npy b.npy -o both --epochs 3 --rivals none");
    let mut names: Vec<String> = std::fs::read_dir(folder.path("both"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["a.npy.bbans", "archive.bbmodel", "b.npy.bbans"]);
    for name in ["a.npy", "b.npy"] {
        folder.ok(&format!("unpack both/{name}.bbans -o back.npy -f"));
        assert_eq!(folder.read("back.npy"), folder.read(name));
    }
    std::fs::rename(
        folder.path("both/archive.bbmodel"),
        folder.path("m.bbmodel"),
    )
    .unwrap();
    folder.fails(
        "unpack both/a.npy.bbans -o c.npy",
        &["archive.bbmodel", "--model"],
    );
    folder.ok("unpack both/a.npy.bbans -o c.npy -m m.bbmodel");
    // Another model of that name is none.
    folder.ok("pack b.npy -o other.bbans --epochs 1 --rivals none -q");
    folder.ok("models extract other.bbans -o both/archive.bbmodel");
    folder.fails("unpack both/a.npy.bbans -o d.npy", &["model"]);
}

#[test]
fn a_given_model_goes_into_files() {
    let folder = Folder::new();
    let (first, second) = (
        idx(&tiny_data(50, 1), &TINY_SHAPE, 1),
        idx(&tiny_data(60, 2), &TINY_SHAPE, 1),
    );
    folder.write("x", &first);
    folder.write("y", &second);
    folder.ok("compress x y -m tiny.safetensors --embed");
    for (name, content) in [("x", &first), ("y", &second)] {
        assert!(inspected(&folder, &format!("{name}.bbans"))["model_bytes"].as_u64() > Some(0));
        folder.ok(&format!("decompress {name}.bbans -o back -f"));
        assert_eq!(&folder.read("back"), content);
    }
    // In one file once.
    let both = folder
        .ok("compress x y -m tiny.safetensors --embed -c")
        .stdout;
    let apart = folder.read("x.bbans").len() + folder.read("y.bbans").len();
    let model = inspected(&folder, "x.bbans")["model_bytes"]
        .as_u64()
        .unwrap() as usize;
    assert!(
        both.len() < apart - model + 8,
        "{} {apart} {model}",
        both.len()
    );
    folder.write("both", both);
    folder.ok("decompress both -o back -f");
    assert_eq!(folder.read("back"), [first, second].concat());
    folder.fails(
        "compress x -m tiny.safetensors --embed --format 1 -o z",
        &["format 1"],
    );
    folder.fails("models extract tiny.safetensors.none -o z", &["no model"]);
    folder.ok("compress x -m tiny.safetensors -o plain");
    folder.fails("models extract plain -o z", &["without its model"]);
}

/// Few data, constant ones, noise, no time: always an archive that decodes.
#[test]
fn whatever_the_data_an_archive_is_one() {
    let folder = Folder::new();
    let noise = crate::support::grey_data(200, 256, 3);
    let table: String = (0..40)
        .map(|i| format!("{},{}\n", i % 3, ["x", "y"][i % 2]))
        .collect();
    folder.write("ten.npy", npy(&pictures(10), &TINY_SHAPE));
    folder.write("one.npy", npy(&pictures(1), &TINY_SHAPE));
    folder.write(
        "constant.npy",
        npy(&Array2::from_elem((100, 30), 7), &TINY_SHAPE),
    );
    folder.write("zeros.npy", npy(&Array2::zeros((100, 30)), &TINY_SHAPE));
    folder.write("noise.npy", npy(&noise, &TINY_SHAPE));
    folder.write("row.npy", npy(&noise, &[30]));
    folder.write("colours.npy", npy(&noise, &[2, 5, 3]));
    folder.write("t.csv", format!("a,b\n{table}"));
    for name in [
        "ten.npy",
        "one.npy",
        "constant.npy",
        "zeros.npy",
        "noise.npy",
        "row.npy",
        "colours.npy",
        "t.csv",
    ] {
        folder.ok(&format!(
            "pack {name} -o {name}.bbans --minutes 0 --rivals none -q"
        ));
        folder.ok(&format!("unpack {name}.bbans -o back -f"));
        assert_eq!(folder.read("back"), folder.read(name), "{name}");
        let (before, after) = (
            folder.read(name).len(),
            folder.read(&format!("{name}.bbans")).len(),
        );
        assert!(after < before + 4000, "{name}: {before} to {after}");
    }
    assert!(folder.read("constant.npy.bbans").len() < 1500);
    // With latents too, if one asks for them.
    folder.ok(
        "pack noise.npy -o l.bbans --network latents --weights 500 --epochs 1 --rivals none -q",
    );
    folder.ok("unpack l.bbans -o back -f");
    assert_eq!(folder.read("back"), folder.read("noise.npy"));
}

#[test]
fn what_cannot_be_packed_is_told() {
    let folder = Folder::new();
    folder.write("x.npy", npy(&pictures(20), &TINY_SHAPE));
    folder.write("other.npy", npy(&pictures(20), &[30]));
    folder.write("none.npy", npy(&pictures(0), &TINY_SHAPE));
    folder.write("text", "no data");
    let before = folder.state();
    for (words, expected) in [
        ("pack nothing.npy -o y", "cannot be read"),
        ("pack text -o y", "text"),
        ("pack none.npy -o y --rivals none", "no data"),
        ("pack x.npy -o -", "name one with -o"),
        ("pack - -o y", "expected a file"),
        ("pack x.npy -o x.npy -f", "x.npy"),
        ("pack x.npy -o nowhere/y", "nowhere"),
        ("pack x.npy other.npy -o y --rivals none", "must be alike"),
        ("pack x.npy -o y --minutes=-1", "expected a number"),
        ("pack x.npy -o y --minutes NaN", "expected a number"),
        ("pack x.npy -o y --resume", "no y.plan.json"),
        (
            "pack other.npy -o y --network stack --rivals none --epochs 1",
            "stack",
        ),
    ] {
        folder.fails(words, &[expected]);
        assert_eq!(folder.state(), before, "{words}");
    }
}

/// An interruption leaves a checkpoint and no output, and --resume goes on.
#[cfg(unix)]
#[test]
fn an_interrupted_run_goes_on_from_its_checkpoint() {
    use std::time::{Duration, Instant};
    let folder = Folder::new();
    folder.write("x.npy", npy(&pictures(2000), &TINY_SHAPE));
    let mut child = crate::bbans()
        .args(
            "pack x.npy -o x.bbans --network stack --weights 400 --epochs 100000 --rivals none"
                .split(' '),
        )
        .current_dir(folder.path(""))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !folder.path("x.bbans.checkpoint").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupt = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    assert!(!child.wait().unwrap().success());
    assert_eq!(
        folder.names(),
        [
            "tiny.safetensors",
            "x.bbans.checkpoint",
            "x.bbans.plan.json",
            "x.npy"
        ]
    );
    folder.fails(
        "pack x.npy -o x.bbans --rivals none",
        &["--resume", "x.bbans.checkpoint"],
    );
    // Of other data it is none.
    let whole = folder.read("x.npy");
    folder.write("x.npy", npy(&pictures(1999), &TINY_SHAPE));
    folder.fails(
        "pack x.npy -o x.bbans --resume --rivals none --minutes 0 -q",
        &["other data"],
    );
    folder.write("x.npy", &whole);
    let told = folder.ok("pack x.npy -o x.bbans --resume --rivals none --minutes 0");
    assert!(told.stderr.contains("going on after"), "{}", told.stderr);
    assert_eq!(folder.names(), ["tiny.safetensors", "x.bbans", "x.npy"]);
    folder.ok("unpack x.bbans -o y.npy");
    assert_eq!(folder.read("y.npy"), whole);
}
