//! An output that is an input, by whatever name, is refused: even with -f.

use std::fs;
use std::os::unix::fs::symlink;

use super::with_data;
use crate::Folder;
use crate::support::{TINY_SHAPE, amat, idx, tiny_data};

/// Every kind of name of the file `name`; the hard link is another file's name.
fn names_of(folder: &Folder, name: &str) -> Vec<String> {
    let _ = fs::create_dir(folder.path("sub"));
    let _ = symlink(".", folder.path("linked"));
    let _ = symlink(folder.path(name), folder.path("link"));
    let _ = fs::hard_link(folder.path(name), folder.path("hard"));
    vec![
        name.to_owned(),
        format!("./{name}"),
        format!("sub/../{name}"),
        format!("linked/{name}"),
        folder.path(name).display().to_string(),
        "link".to_owned(),
        "hard".to_owned(),
    ]
}

#[test]
fn an_output_that_is_the_input_is_refused_by_every_name() {
    for input in ["x", "x.bbans"] {
        let folder = with_data(40);
        let names = names_of(&folder, input);
        let content = folder.read(input);
        let command = if input == "x" {
            "compress"
        } else {
            "decompress"
        };
        for options in ["--rm -f", "-f", "", "--rm"] {
            for name in &names {
                let words = format!("{command} {options} -o {name} {input} -m tiny.safetensors");
                folder.fails(&words, &[name, "input", "name another"]);
                assert_eq!(folder.read(input), content, "{words}");
            }
        }
        // And where the input is named by another name.
        for name in names.iter().filter(|name| *name != "link") {
            let words = format!("{command} --rm -f -o {input} {name} -m tiny.safetensors");
            folder.fails(&words, &[input, "name another"]);
            assert_eq!(folder.read(input), content, "{words}");
        }
    }
}

#[test]
fn other_commands_do_not_overwrite_what_they_read() {
    let folder = with_data(40);
    let content = folder.read("x");
    for name in names_of(&folder, "x") {
        folder.fails(
            &format!("binarize -f --threshold 1 x -o {name}"),
            &["name another"],
        );
        assert_eq!(folder.read("x"), content);
    }
    let model = folder.read("tiny.safetensors");
    for words in [
        "compress --rm -f -o tiny.safetensors x",
        "compress -f -o ./tiny.safetensors x",
        "decompress -f -o tiny.safetensors x.bbans",
        "sample -f -n 1 -o tiny.safetensors",
        "bench --rivals none -f --csv tiny.safetensors --data x",
        "compare model -f --csv tiny.safetensors --data x --limit 1",
    ] {
        folder.fails(&format!("{words} -m tiny.safetensors"), &["name another"]);
    }
    folder.fails(
        "models tiny.safetensors -f -o ./tiny.safetensors",
        &["name another"],
    );
    folder.fails("train -f --data x -o ./x --epochs 1", &["name another"]);
    assert_eq!(folder.read("tiny.safetensors"), model);
}

#[test]
fn an_output_is_none_of_the_other_inputs_nor_an_output_before_it() {
    let folder = with_data(40);
    let file = folder.read("x.bbans");
    let outcome = folder.run("compress -f x x.bbans -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("x.bbans is an input or an output"));
    assert_eq!(folder.read("x.bbans"), file);

    // The second would take the place of the first, which is removed.
    let first = amat(&tiny_data(20, 1), " ", "\n");
    let second = super::gzip([amat(&tiny_data(20, 2), " ", "\n")].into_iter());
    folder.write("a.amat", &first);
    folder.write("a.amat.gz", &second);
    let outcome = folder.run("compress --rm -f a.amat a.amat.gz -q -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(folder.read("a.amat.gz"), second);
    folder.ok("decompress a.amat.bbans -m tiny.safetensors");
    assert_eq!(folder.read("a.amat"), first);
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_is_no_input() {
    let folder = with_data(40);
    for (command, input) in [("compress", "x"), ("decompress", "x.bbans")] {
        let before = folder.read(input);
        for redirection in [">>", "1<>"] {
            let outcome = folder.sh(&format!(
                "$BBANS {command} -c {input} -m tiny.safetensors {redirection} {input}"
            ));
            assert_eq!(outcome.code, Some(1), "{command} {redirection}");
            assert!(
                outcome.stderr.contains("would be lost"),
                "{}",
                outcome.stderr
            );
            assert_eq!(folder.read(input), before, "{command} {redirection}");
        }
    }
}

/// The file that a link leads to is written; the link, which may be a system's own, stays.
#[test]
fn a_link_to_an_output_stays_one() {
    let folder = with_data(40);
    folder.write("real", "before");
    symlink("real", folder.path("to-real")).unwrap();
    folder.ok("decompress -f x.bbans -o to-real -m tiny.safetensors");
    assert!(folder.path("to-real").is_symlink());
    assert_eq!(folder.read("real"), folder.read("x"));
    let outcome =
        folder.sh("$BBANS decompress -f x.bbans -o /dev/stdout -m tiny.safetensors > out");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(std::path::Path::new("/dev/stdout").is_symlink());
    assert_eq!(folder.read("out"), folder.read("x"));
    let set = super::with_png_set(2);
    fs::create_dir(set.path("empty")).unwrap();
    symlink("empty", set.path("to-empty")).unwrap();
    set.fails(
        "decompress set.bbans -o to-empty -m tiny.safetensors",
        &["to-empty", "no empty folder"],
    );
}

#[test]
fn no_output_is_written_into_a_folder_that_is_read() {
    let folder = super::with_png_set(3);
    folder.ok("decompress set.bbans -m tiny.safetensors");
    let before = folder.read("set/00001.png");
    fs::rename(folder.path("set/00002.png"), folder.path("elsewhere.png")).unwrap();
    symlink("../elsewhere.png", folder.path("set/00002.png")).unwrap();
    for output in [
        "set/00001.png",
        "set/new",
        "set/../set/00001.png",
        "elsewhere.png",
    ] {
        folder.fails(
            &format!("compress -f set -o {output} -m tiny.safetensors"),
            &[output, "name another"],
        );
    }
    assert_eq!(folder.read("set/00001.png"), before);
}

#[test]
fn what_keeps_nothing_does_not_cost_the_input() {
    let folder = with_data(40);
    assert_eq!(folder.sh("mkfifo pipe").code, Some(0));
    for (command, input) in [("compress", "x"), ("decompress", "x.bbans")] {
        for output in ["/dev/null", "pipe", "-"] {
            folder.fails(
                &format!("{command} --rm -o {output} {input} -m tiny.safetensors"),
                &["--rm"],
            );
        }
        folder.ok(&format!(
            "{command} -o /dev/null {input} -m tiny.safetensors"
        ));
    }
    // A link is not the file that it leads to.
    symlink(folder.path("x"), folder.path("to-x")).unwrap();
    folder.fails(
        "compress --rm to-x -m tiny.safetensors",
        &["to-x", "regular file"],
    );
    folder.write("y", idx(&tiny_data(40, 3), &TINY_SHAPE, 1));
    folder.ok("compress --rm y -q -m tiny.safetensors");
    assert!(!folder.path("y").exists());
}

#[test]
fn a_disk_is_not_overwritten_without_force() {
    let folder = with_data(4);
    // A device that no driver has.
    if folder.sh("mknod disk b 240 255").code != Some(0) {
        crate::support::skipped("this user may make no devices");
        return;
    }
    folder.fails(
        "compress x -o disk -m tiny.safetensors",
        &["disk exists", "-f"],
    );
}
