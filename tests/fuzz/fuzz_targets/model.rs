//! Any bytes as a model file: refused, or a model that codes.
#![no_main]

use bbans::{LatentModel, VaeModel, block};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = VaeModel::from_bytes(bytes) else {
        return;
    };
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
