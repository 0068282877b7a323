//! Bad input: one clear line, exit code 1, nothing left behind.

use crate::Folder;
use crate::support::{TINY_SHAPE, amat, idx, npy_with, tiny_data, tiny_model_file};

#[test]
fn data_that_are_none_of_ours() {
    let folder = Folder::new();
    folder.write("text", "hello world");
    folder.fails(
        "compress text -m tiny.safetensors",
        &["text", "no data format", "expected IDX"],
    );
    folder.fails(
        "compress nowhere -m tiny.safetensors",
        &["nowhere", "No such file"],
    );
    folder.write(
        "floats.npy",
        npy_with(
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1, 30), }",
            &[0; 240],
        ),
    );
    folder.fails(
        "compress floats.npy -m tiny.safetensors",
        &["<c8", "expected bool"],
    );
    folder.write("wide", idx(&tiny_data(4, 1), &[5, 6], 1));
    folder.fails(
        "compress wide -m tiny.safetensors",
        &["[5, 6]", "[6, 5]", "bbans train"],
    );
    folder.write("short.amat", "0 1 1\n");
    folder.fails(
        "compress short.amat -m tiny.safetensors",
        &["[3]", "[6, 5]"],
    );
    let mut cut = idx(&tiny_data(4, 1), &TINY_SHAPE, 1);
    cut.truncate(100);
    folder.write("cut", cut);
    folder.fails(
        "compress cut -m tiny.safetensors",
        &["cut", "before the count"],
    );
    folder.fails("compress cut -m tiny.safetensors --rm", &["cut"]);
    let mut late = amat(&tiny_data(5100, 1), " ", "\n");
    late.extend(b"0 1\n");
    folder.write("late.amat", late);
    folder.fails(
        "compress late.amat -m tiny.safetensors",
        &["late.amat", "line"],
    );
    let mut counted = idx(&tiny_data(0, 1), &TINY_SHAPE, 1);
    counted[4..8].copy_from_slice(&[255; 4]);
    folder.write("counted", counted);
    folder.fails(
        "compress counted -m tiny.safetensors",
        &["before the count"],
    );
}

#[test]
fn compressed_files_that_are_damaged_foreign_or_of_the_future() {
    let folder = Folder::new();
    let content = idx(&tiny_data(40, 1), &TINY_SHAPE, 1);
    let file = folder
        .run_with("compress -m tiny.safetensors --format 1", &content)
        .stdout;
    let put = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = file.clone();
        change(&mut changed);
        folder.write(name, changed);
    };
    put("cut.bbans", &|f| f.truncate(200));
    put("empty.bbans", &|f| f.clear());
    put("foreign.bbans", &|f| f[1] = b'x');
    put("future.bbans", &|f| f[8] = 9);
    put("flipped.bbans", &|f| f[150] ^= 4);
    put("good.bbans", &|_| {});
    folder.fails(
        "decompress cut.bbans -m tiny.safetensors",
        &["cut.bbans", "cut short"],
    );
    folder.fails(
        "decompress empty.bbans",
        &["empty.bbans", "the file is empty"],
    );
    folder.fails("decompress foreign.bbans", &["not a bbans file"]);
    folder.fails("decompress future.bbans", &["version 9", "newer bbans"]);
    folder.fails(
        "decompress flipped.bbans -m tiny.safetensors",
        &["checksum", "damaged"],
    );
    folder.fails("decompress good.bbans", &["a model tiny", "--model"]);
    folder.fails(
        "decompress good.bbans -m mnist-binary-small",
        &["tiny", "mnist-binary-small", "--model"],
    );
    folder.fails("inspect cut.bbans", &["cut short"]);
    folder.fails("compress good.bbans", &["bbans file already"]);
    folder.fails(
        "decompress good.bbans -o nowhere/x -m tiny.safetensors",
        &["nowhere/x", "No such file"],
    );
    let tested = folder.run("test good.bbans flipped.bbans -m tiny.safetensors");
    assert_eq!(tested.code, Some(1));
    assert_eq!(tested.stdout, b"good.bbans: ok, 40 data\n");
    assert!(
        tested
            .stderr
            .ends_with("1 of 2 inputs failed: flipped.bbans\n")
    );
}

#[test]
fn models_that_are_none() {
    let folder = Folder::new();
    folder.write("x", idx(&tiny_data(4, 1), &TINY_SHAPE, 1));
    folder.write("not.safetensors", "nothing");
    folder.fails(
        "compress x -m not.safetensors",
        &["not a model file", "bbans train"],
    );
    folder.fails("compress x -m nowhere", &["nowhere", "mnist-binary-small"]);
    folder.fails("compress x -m .", &["not a file"]);
    let mut lying = folder.read("tiny.safetensors");
    lying[0..8].copy_from_slice(&u64::MAX.to_le_bytes());
    folder.write("lying.safetensors", &lying);
    folder.fails("models lying.safetensors", &["not a model file"]);
    let mut file = tiny_model_file("x", 1);
    file.tensors.remove("decoder.1.bias");
    folder.write("missing.safetensors", file.to_bytes().unwrap());
    folder.fails("models missing.safetensors", &["decoder.1.bias"]);
    let mut file = tiny_model_file("x", 1);
    file.tensors.get_mut("encoder.0.weight").unwrap().shape = vec![9, 30];
    folder.write("turned.safetensors", file.to_bytes().unwrap());
    folder.fails("models turned.safetensors", &["[9, 30]", "[30, 9]"]);
    let mut file = tiny_model_file("x", 1);
    file.tensors.get_mut("encoder.0.weight").unwrap().values[3] = f32::NAN;
    folder.write("nan.safetensors", file.to_bytes().unwrap());
    folder.fails(
        "models nan.safetensors",
        &["encoder.0.weight", "NaN", "finite"],
    );
    let mut file = tiny_model_file("x", 1);
    file.tensors
        .get_mut("decoder.3.bias")
        .unwrap()
        .values
        .fill(f32::MAX);
    file.tensors
        .get_mut("decoder.3.weight")
        .unwrap()
        .values
        .fill(f32::MAX);
    folder.write("huge.safetensors", file.to_bytes().unwrap());
    folder.fails("compress x -m huge.safetensors --format 1", &["infinite"]);
}

#[test]
fn usage_errors_have_code_2() {
    let folder = Folder::new();
    for words in [
        "",
        "squash",
        "compress x --lanes 0",
        "compress x --lanes 5000",
        "compress x --threads 0",
        "compress x -k --rm",
        "compress x -c -o y",
        "sample",
        "bench --limit 0",
        "train",
        "binarize x",
        "completions tcl",
    ] {
        assert_eq!(folder.run(words).code, Some(2), "{words}");
    }
    for words in [
        "--help",
        "--version",
        "compress --help",
        "data --help",
        "completions zsh",
        "models",
    ] {
        assert_eq!(folder.run(words).code, Some(0), "{words}");
    }
}
