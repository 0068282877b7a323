//! Full disks, closed pipes, folders that cannot be written, little memory.

use std::process::Stdio;

use super::{with_data, with_png_set};
use crate::bbans;

#[test]
fn a_file_that_may_not_grow_is_an_error() {
    // Of both, more than a block of 512 bytes.
    let folder = with_data(2000);
    let before = folder.state();
    for words in [
        "compress x -o y",
        "decompress x.bbans -o y",
        "binarize --threshold 1 x -o y",
        "sample -n 1000 -o y",
        "decompress --rm x.bbans -f -o y",
    ] {
        let model = if words.starts_with("binarize") {
            ""
        } else {
            "-m tiny.safetensors"
        };
        let outcome = folder.sh(&format!("ulimit -f 1; $BBANS {words} {model}"));
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("too large"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(".part"), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert_eq!(folder.state(), before, "{words}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = with_data(60_000);
    let set = with_png_set(500);
    std::fs::copy(set.path("set.bbans"), folder.path("set.bbans")).unwrap();
    std::fs::create_dir(folder.path("disk")).unwrap();
    let on_disk = |script: &str| {
        folder.sh(&format!(
            "unshare -rm sh -c 'mount -t tmpfs -o size=64k none disk && {{ {script}; }}'"
        ))
    };
    if on_disk("true").code != Some(0) {
        crate::support::skipped("this system lets no one mount a small disk");
        return;
    }
    for words in [
        "compress x -o disk/y",
        "decompress x.bbans -o disk/y",
        "decompress set.bbans -o disk/set",
        "decompress --rm x.bbans -o disk/y",
        "decompress --rm set.bbans -o disk/set",
    ] {
        let before = folder.state();
        let outcome = on_disk(&format!(
            "$BBANS {words} -m tiny.safetensors; code=$?; ls -A disk; exit $code"
        ));
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("No space"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(".part"), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, b"", "{words}: something is left");
        assert_eq!(folder.state(), before, "{words}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_error() {
    let folder = with_data(4);
    folder.fails(
        "compress x -o /dev/full -m tiny.safetensors",
        &["No space left"],
    );
    for words in [
        "test x.bbans -m tiny.safetensors",
        "inspect x.bbans",
        "inspect --json x.bbans",
        "models",
        "models mnist-binary-small",
        "decompress -c x.bbans -m tiny.safetensors",
        "compress -c x -m tiny.safetensors",
        "completions bash",
    ] {
        let outcome = folder.sh(&format!("$BBANS {words} >/dev/full"));
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("No space"), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
    // Nobody is told, but the work is done.
    for stderr in ["2>/dev/full", "2>&-"] {
        let outcome = folder.sh(&format!(
            "$BBANS compress x -f -o y -m tiny.safetensors {stderr}"
        ));
        assert_eq!(outcome.code, Some(0));
        let failing = folder.sh(&format!("$BBANS decompress x -o z {stderr}"));
        assert_eq!(failing.code, Some(1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_output_is_an_error() {
    let folder = with_data(4);
    for words in [
        "decompress -c x.bbans",
        "compress -c x",
        "decompress -o - x.bbans",
    ] {
        let outcome = folder.sh(&format!("$BBANS {words} -m tiny.safetensors >&-"));
        assert_eq!(outcome.code, Some(1), "{words}");
        assert!(outcome.stderr.contains("closed"), "{}", outcome.stderr);
        let outcome = folder.sh(&format!("$BBANS {words} -m tiny.safetensors >/dev/null"));
        assert_eq!(outcome.code, Some(0), "{words}: {}", outcome.stderr);
    }
}

/// Rust's library takes the error of writing to such an output for success.
#[cfg(target_os = "linux")]
#[test]
fn an_output_that_is_open_for_reading_is_an_error() {
    let folder = with_data(4);
    for words in ["compress -c x", "decompress -c x.bbans", "test x.bbans"] {
        let outcome = folder.sh(&format!("$BBANS {words} -m tiny.safetensors 1<x"));
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
    }
    let outcome = folder.sh("$BBANS compress -o y -m tiny.safetensors <&-");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("input is closed"),
        "{}",
        outcome.stderr
    );
    assert_eq!(folder.sh("$BBANS --help >/dev/full").code, Some(1));
}

#[test]
fn a_broken_pipe_is_met_quietly() {
    let folder = with_data(60_000);
    for words in [
        "decompress x.bbans -c -m tiny.safetensors",
        "compress x -c -m tiny.safetensors",
        "inspect --json x.bbans",
    ] {
        let mut child = bbans()
            .args(words.split_whitespace())
            .current_dir(folder.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{words}");
        assert_eq!(output.status.code(), Some(1), "{words}");
    }
}

#[test]
fn folders_that_are_missing_or_closed_are_errors() {
    let folder = with_data(4);
    for words in [
        "compress x",
        "decompress x.bbans",
        "decompress --rm x.bbans",
    ] {
        folder.fails(
            &format!("{words} -o nowhere/y -m tiny.safetensors"),
            &["cannot write nowhere/y", "No such file"],
        );
        folder.fails(
            &format!("{words} -o x/y -m tiny.safetensors"),
            &["cannot write x/y", "Not a directory"],
        );
    }
}

#[test]
fn a_read_only_disk_is_an_error() {
    let folder = with_data(4);
    std::fs::create_dir(folder.path("disk")).unwrap();
    let on_disk = |script: &str| {
        folder.sh(&format!(
            "unshare -rm sh -c 'mount -t tmpfs none disk && cp x x.bbans disk && \
             mount -o remount,ro disk && {{ {script}; }}'"
        ))
    };
    if on_disk("true").code != Some(0) {
        crate::support::skipped("this system lets no one mount a disk");
        return;
    }
    for words in [
        "compress disk/x -o disk/y",
        "decompress disk/x.bbans -o disk/y",
        "compress --rm -f disk/x",
        "decompress --rm -f disk/x.bbans",
    ] {
        let outcome = on_disk(&format!("$BBANS {words} -m tiny.safetensors"));
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("Read-only"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(".part"), "{}", outcome.stderr);
    }
    // The output is elsewhere: it is complete, and the input stays, and both are said.
    let outcome = on_disk("$BBANS compress -q --rm disk/x -o y -m tiny.safetensors");
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("cannot remove disk/x"),
        "{}",
        outcome.stderr
    );
    assert!(folder.path("y").exists());
}

/// What a run does in an address space of so many KiB: all that it should, or an error that leaves
/// everything as it was.
#[cfg(target_os = "linux")]
#[test]
fn a_small_address_space_costs_no_data() {
    let folder = with_data(20_000);
    let mut done = 0;
    for kib in [60_000, 80_000, 100_000, 150_000, 300_000, 1_000_000] {
        for words in [
            "test --threads 64 x.bbans",
            "decompress --threads 64 x.bbans -o y",
            "compress --threads 64 x -q -o y",
        ] {
            let before = folder.state();
            let outcome = folder.sh(&format!(
                "ulimit -v {kib}; $BBANS {words} -m tiny.safetensors"
            ));
            let told = &outcome.stderr;
            assert!(!told.contains("panicked"), "{kib} {words}: {told}");
            if outcome.code == Some(0) {
                done += 1;
                if words.starts_with("decompress") {
                    assert!(folder.read("y") == folder.read("x"), "{kib} {words}");
                }
                let _ = std::fs::remove_file(folder.path("y"));
            } else {
                assert!(!folder.path("y").exists(), "{kib} {words}: {told}");
            }
            // Memory that the allocator does not get ends the program at once: then a partial file may
            // be left, under a name of its own.
            let left = |name: &String| name.ends_with(".part");
            for name in folder.names().iter().filter(|n| left(n)) {
                std::fs::remove_file(folder.path(name)).unwrap();
            }
            assert_eq!(folder.state(), before, "{kib} {words}");
        }
    }
    assert!(done >= 6, "only {done} runs had enough memory");
}
