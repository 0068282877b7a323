//! The pages docs/format are enough to write a decoder: reference/decode.py is one.

use std::path::Path;
use std::process::Command;

use bbans::VaeModel;

use crate::support::golden;
use crate::{decompress, support};

#[test]
fn the_reference_decoder_restores_the_golden_files() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/decode.py");
    if Command::new("python3").arg("--version").output().is_err() {
        support::skipped("it needs python3");
        return;
    }
    let list = |folder: &str| std::fs::read_dir(golden().join(folder)).unwrap();
    let mut pairs: Vec<_> = list("v1")
        .map(|entry| (golden().join("tiny.safetensors"), entry.unwrap().path()))
        .collect();
    let others = list("grey").chain(list("graphs"));
    let others = others.map(|entry| entry.unwrap().path());
    let others = others.filter(|path| path.extension().is_some_and(|e| e == "bbans"));
    pairs.extend(others.map(|path| (path.with_extension("safetensors"), path)));
    pairs.extend(
        crate::golden_2::pairs()
            .into_iter()
            .map(|[model, file]| (model, file)),
    );
    pairs.extend(crate::symbol_models::pairs());
    let mut files = 0;
    for (model_path, path) in pairs {
        let model = VaeModel::from_bytes(&std::fs::read(&model_path).unwrap()).unwrap();
        let expected = decompress(&model, &std::fs::read(&path).unwrap(), 1).unwrap();
        let output = Command::new("python3")
            .arg(&script)
            .arg(&model_path)
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
    assert!(files >= 60);
}

#[test]
fn the_reference_decoder_finds_models_in_files() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/decode.py");
    if Command::new("python3").arg("--version").output().is_err() {
        support::skipped("it needs python3");
        return;
    }
    for (file, content) in crate::version_4::golden_files() {
        let output = Command::new("python3")
            .arg(&script)
            .arg("-")
            .arg(&file)
            .output();
        let output = output.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {error}", file.display());
        let expected = std::fs::read(content).unwrap();
        // A set is in an order of its own.
        let set = file.to_string_lossy().ends_with(".3.bbans");
        assert!(set || output.stdout == expected, "{}", file.display());
        assert_eq!(output.stdout.len(), expected.len());
    }
}

/// Runs a script of the reference decoder, which says at the end that all is well.
fn agrees(name: &str, end: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("reference")
        .join(name);
    let Ok(output) = Command::new("python3").arg(&script).output() else {
        support::skipped("it needs python3");
        return;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains(end), "{told}{error}");
}

/// The reference decoder takes what the pages have and no golden file, and refuses what they refuse.
#[test]
fn the_reference_decoder_agrees_with_files_made_by_hand() {
    agrees("check_files.py", "all files agree");
}

/// The operations of the reference decoder have PyTorch's values.
#[test]
fn the_reference_operations_agree_with_pytorch() {
    agrees("check_operations.py", "cases agree");
}
