//! The page docs/format.md is enough to write a decoder: reference/decode.py was written from it.

use std::path::Path;
use std::process::Command;

use crate::support::golden;
use crate::{decompress, support};

#[test]
fn a_decoder_written_from_the_docs_restores_the_golden_files() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/decode.py");
    if Command::new("python3").arg("--version").output().is_err() {
        support::skipped("it needs python3");
        return;
    }
    let model = support::tiny_model();
    let mut files = 0;
    for entry in std::fs::read_dir(golden().join("v1")).unwrap() {
        let path = entry.unwrap().path();
        let expected = decompress(&model, &std::fs::read(&path).unwrap(), 1).unwrap();
        let output = Command::new("python3")
            .arg(&script)
            .arg(golden().join("tiny.safetensors"))
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.stdout == expected, "{}", path.display());
        files += 1;
    }
    assert!(files >= 6);
}
