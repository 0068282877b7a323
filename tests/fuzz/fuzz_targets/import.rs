//! Any text as a description of layers, and after a zero byte any bytes as weights: refused, or a model
//! that codes.
#![no_main]

use bbans::nn::import::{Arch, import};
use bbans::{LatentModel, VaeModel, block};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|&b| b == 0) else {
        return;
    };
    let (text, weights) = (&input[..end], &input[end + 1..]);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let Ok(arch) = Arch::from_json(text) else {
        return;
    };
    let Ok(imported) = import(weights, &arch) else {
        return;
    };
    let bytes = imported.file.to_bytes().unwrap();
    let model = VaeModel::from_bytes(&bytes).unwrap();
    if model.dims() > 1000 {
        return;
    }
    let data = ndarray::Array2::zeros((3, model.dims()));
    if let Ok(coded) = block::encode(&model, data.view(), 2) {
        assert_eq!(
            block::decode(&model, coded.plan, coded.words).unwrap(),
            data
        );
    }
});
