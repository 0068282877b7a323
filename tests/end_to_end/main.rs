//! The program from outside: arguments, files, pipes, signals, exit codes.

mod bad_input;
mod bench;
mod compare;
mod data;
mod faults;
mod import;
mod kinds;
mod pack;
mod png_files;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;
mod train;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The program, with an empty environment of our variables.
pub(crate) fn bbans() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bbans-under-test"));
    command
        .env_remove("BBANS_DATA")
        .env_remove("BBANS_SIMD")
        .env("XDG_DATA_HOME", "/nonexistent");
    command
}

/// A folder of its own for one test, with the small model in it.
pub(crate) struct Folder(TempDir);

/// What a run of the program gave.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::copy(
            support::golden().join("tiny.safetensors"),
            folder.path("tiny.safetensors"),
        )
        .unwrap();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Names of the files, in order, hidden ones among them.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Names, sizes and times of the files: what an attempt that failed must leave alone.
    pub(crate) fn state(&self) -> Vec<(String, u64, std::time::SystemTime)> {
        let of = |name: String| {
            let metadata = fs::symlink_metadata(self.path(&name)).unwrap();
            let size = if metadata.is_dir() { 0 } else { metadata.len() };
            (name, size, metadata.modified().unwrap())
        };
        self.names().into_iter().map(of).collect()
    }

    /// Runs the program in the folder, on words separated by spaces.
    pub(crate) fn run(&self, words: &str) -> Outcome {
        self.run_with(words, &[])
    }

    /// The same with standard input.
    pub(crate) fn run_with(&self, words: &str, input: &[u8]) -> Outcome {
        let mut child = bbans()
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A program that refuses its input does not read it.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a shell's script in the folder; the program is `$BBANS`.
    #[cfg(unix)]
    pub(crate) fn sh(&self, script: &str) -> Outcome {
        let output = Command::new("sh")
            .args(["-c", script])
            .env("BBANS", env!("CARGO_BIN_EXE_bbans-under-test"))
            .env_remove("BBANS_DATA")
            .env_remove("BBANS_SIMD")
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program, which must succeed.
    pub(crate) fn ok(&self, words: &str) -> Outcome {
        let outcome = self.run(words);
        assert_eq!(outcome.code, Some(0), "{words}: {}", outcome.stderr);
        outcome
    }

    /// Runs the program, which must fail with one line that has all of `expected`, and leave the
    /// folder as it was.
    pub(crate) fn fails(&self, words: &str, expected: &[&str]) {
        let before = self.state();
        let outcome = self.run(words);
        assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
        for part in expected {
            assert!(
                outcome.stderr.contains(part),
                "{words}: {part:?} in {}",
                outcome.stderr
            );
        }
        assert_eq!(
            outcome.stderr.lines().count(),
            1,
            "{words}: {}",
            outcome.stderr
        );
        assert_eq!(self.state(), before, "{words}");
    }
}
