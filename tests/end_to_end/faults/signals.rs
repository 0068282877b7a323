//! Interruptions leave nothing behind.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{with_data, with_png_set};
use crate::support::{TINY_SHAPE, idx, tiny_data};
use crate::{Folder, bbans};

/// Waits until the program has begun its output.
fn wait_for_output(folder: &Folder) {
    let begun = Instant::now();
    while !folder.names().iter().any(|n| n.ends_with(".part")) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no output was begun"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn start(folder: &Folder, words: &str) -> Child {
    bbans()
        .args(words.split_whitespace())
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A run that was stopped as soon as its output was begun; `kill -CONT` lets it go on.
pub(super) fn paused(folder: &Folder, words: &str) -> Child {
    let child = start(folder, words);
    wait_for_output(folder);
    kill(&child, "-STOP");
    child
}

/// A run that has begun its output and waits for more input.
fn waiting(folder: &Folder) -> Child {
    let mut child = start(folder, "compress - -o out.bbans -m tiny.safetensors");
    let content = idx(&tiny_data(6000, 1), &TINY_SHAPE, 1);
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(&content[..content.len() - 1])
        .unwrap();
    wait_for_output(folder);
    child
}

pub(super) fn kill(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn every_ending_signal_cleans_up() {
    for (signal, code) in [
        ("-HUP", 129),
        ("-INT", 130),
        ("-QUIT", 131),
        ("-TERM", 143),
        ("-XCPU", 152),
    ] {
        // A shell's background jobs, and what they start, ignore two of them.
        if is_ignored(signal) {
            crate::support::skipped(&format!("{signal} is ignored here"));
            continue;
        }
        let folder = Folder::new();
        let mut child = waiting(&folder);
        // Its end would be an error of its own, which may come first.
        let _input = child.stdin.take();
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(folder.names(), ["tiny.safetensors"], "{signal}");
    }
}

/// Whether programs that are started here ignore a signal.
fn is_ignored(signal: &str) -> bool {
    let script = format!("trap 'exit 7' {}; kill {signal} $$; exit 0", &signal[1..]);
    Folder::new().sh(&script).code != Some(7)
}

/// A run is interrupted at 30 moments: all or nothing of its output is there, and its input.
fn interrupted_at_30_moments(folder: &Folder, words: &str, output: &str) {
    let remove = || {
        let _ = std::fs::remove_file(folder.path(output));
        let _ = std::fs::remove_dir_all(folder.path(output));
    };
    let before = folder.state();
    let begun = Instant::now();
    folder.ok(words);
    let duration = begun.elapsed();
    let count = |path| std::fs::read_dir(path).map_or(0, Iterator::count);
    let (after, inside) = (folder.names(), count(folder.path(output)));
    remove();
    let mut interrupted = 0;
    for moment in 0..30 {
        let mut child = start(folder, words);
        std::thread::sleep(duration * moment / 30);
        kill(&child, "-TERM");
        let code = child.wait().unwrap().code();
        if code == Some(0) {
            assert_eq!(folder.names(), after, "{words}");
            assert_eq!(count(folder.path(output)), inside, "{words}");
            remove();
        } else if code.is_none() {
            // Before the program had begun.
            assert_eq!(folder.state(), before, "{words}");
        } else {
            interrupted += 1;
            // The output may have been complete when the signal came.
            assert_eq!(code, Some(143), "{words}");
            if folder.path(output).exists() {
                assert_eq!(count(folder.path(output)), inside, "{words}");
                remove();
            }
            assert_eq!(folder.state(), before, "{words}");
        }
    }
    assert!(interrupted > 0, "{words}: no signal came while it ran");
}

#[test]
fn files_are_whole_or_not_there_at_any_moment() {
    let folder = with_data(60_000);
    interrupted_at_30_moments(&folder, "compress x -q -o y -m tiny.safetensors", "y");
    interrupted_at_30_moments(&folder, "decompress x.bbans -o y -m tiny.safetensors", "y");
}

#[test]
fn folders_are_whole_or_not_there_at_any_moment() {
    let folder = with_png_set(3000);
    interrupted_at_30_moments(&folder, "decompress set.bbans -m tiny.safetensors", "set");
}

/// With --rm at no moment neither the input nor the output is there.
#[test]
fn an_input_that_is_removed_is_whole_elsewhere() {
    let folder = with_data(60_000);
    let (x, file) = (folder.read("x"), folder.read("x.bbans"));
    for (input, output, command) in [("x", "y", "compress"), ("x.bbans", "y", "decompress")] {
        let content = folder.read(input);
        let words = format!("{command} --rm {input} -o {output} -m tiny.safetensors");
        let begun = Instant::now();
        folder.ok(&words);
        let duration = begun.elapsed();
        let expected = folder.read(output);
        for moment in 0..30 {
            folder.write(input, &content);
            let _ = std::fs::remove_file(folder.path(output));
            let mut child = start(&folder, &words);
            std::thread::sleep(duration * moment / 30);
            kill(&child, "-INT");
            let _ = child.wait().unwrap();
            if folder.path(output).exists() {
                assert!(folder.read(output) == expected, "{words}");
            } else {
                assert!(folder.read(input) == content, "{words}");
            }
            assert!(!folder.names().iter().any(|n| n.ends_with(".part")));
        }
        folder.write("x", &x);
        folder.write("x.bbans", &file);
        let _ = std::fs::remove_file(folder.path(output));
    }
}

/// What lasts is on the disk before the input goes: the calls in their order.
#[cfg(target_os = "linux")]
#[test]
fn outputs_are_synced_before_an_input_is_removed() {
    let folder = with_data(40);
    let set = with_png_set(4);
    std::fs::copy(set.path("set.bbans"), folder.path("set.bbans")).unwrap();
    if folder.sh("strace -V").code != Some(0) {
        crate::support::skipped("it needs strace");
        return;
    }
    for (words, files) in [
        ("compress --rm x -o y", 1),
        ("decompress --rm x.bbans -o z", 1),
        ("decompress --rm set.bbans", 4 + 1),
    ] {
        let calls = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat";
        let outcome = folder.sh(&format!(
            "strace -f -o calls -e trace={calls} $BBANS {words} -m tiny.safetensors"
        ));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let calls = String::from_utf8(folder.read("calls")).unwrap();
        let input = words.split(' ').nth(2).unwrap();
        let kinds: String = calls
            .lines()
            .filter_map(|line| {
                let removal = format!("\"{input}\"");
                match line {
                    _ if line.contains("sync(") => Some('s'),
                    _ if line.contains("unlink") && line.contains(&removal) => Some('u'),
                    _ if line.contains("rename") || line.contains("link(") => Some('n'),
                    _ => None,
                }
            })
            .collect();
        // Each file, its folder, its name, the folder above; then the input.
        assert_eq!(
            kinds,
            format!("{}nsu", "s".repeat(files)),
            "{words}: {calls}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_was_ignored_from_the_start_stays_so() {
    let folder = with_data(60_000);
    let outcome = folder.sh(
        "trap '' HUP INT; $BBANS decompress x.bbans -o y -m tiny.safetensors & \
         pid=$!; for i in $(seq 1000); do ls -A | grep -q part && break; done; \
         kill -HUP $pid; kill -INT $pid; wait $pid",
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(folder.read("y") == folder.read("x"));
}

#[test]
fn after_a_kill_the_name_holds_no_partial_file() {
    let folder = Folder::new();
    let mut child = waiting(&folder);
    kill(&child, "-KILL");
    assert!(!child.wait().unwrap().success());
    assert!(!folder.path("out.bbans").exists());
}
