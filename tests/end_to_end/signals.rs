//! Interruptions leave nothing behind.
#![cfg(unix)]

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{TINY_SHAPE, idx, tiny_data};
use crate::{Folder, bbans};

/// A run that has begun its output and waits for more input.
fn waiting(folder: &Folder) -> Child {
    let mut child = bbans()
        .args(["compress", "-", "-o", "out.bbans", "-m", "tiny.safetensors"])
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let content = idx(&tiny_data(6000, 1), &TINY_SHAPE, 1);
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(&content[..content.len() - 1])
        .unwrap();
    let begun = Instant::now();
    while !folder.names().iter().any(|n| n.ends_with(".part")) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "no output was begun"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn kill(child: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn interrupt_and_terminate_clean_up() {
    for signal in ["-INT", "-TERM"] {
        let folder = Folder::new();
        let mut child = waiting(&folder);
        kill(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(1), "{signal}");
        assert_eq!(folder.names(), ["tiny.safetensors"], "{signal}");
    }
}

#[test]
fn after_a_kill_the_name_holds_no_partial_file() {
    let folder = Folder::new();
    let mut child = waiting(&folder);
    kill(&child, "-KILL");
    assert!(!child.wait().unwrap().success());
    assert!(!folder.path("out.bbans").exists());
}

#[test]
fn a_closed_pipe_is_met_quietly() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(60_000, 1), &TINY_SHAPE, 1));
    folder.ok("compress x -m tiny.safetensors");
    let mut child = bbans()
        .args(["decompress", "x.bbans", "-c", "-m", "tiny.safetensors"])
        .current_dir(folder.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
