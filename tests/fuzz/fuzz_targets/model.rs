//! Any bytes as a model file: refused, or a model that codes.
#![no_main]

use bbans::{LatentModel, VaeModel, block};
use bbans_fuzz::levels;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = VaeModel::from_bytes(bytes) else {
        return;
    };
    if model.dims() > 1000 {
        return;
    }
    // The first and the last symbol of each dimension, and one between.
    let levels = levels(&model);
    let symbol = |(i, dim): (usize, usize)| ((levels[dim] - 1) * i / 2) as u16;
    let data = ndarray::Array2::from_shape_fn((3, model.dims()), symbol);
    if let Ok(coded) = block::encode(&model, data.view(), 2) {
        assert_eq!(
            block::decode(&model, coded.plan, coded.words).unwrap(),
            data
        );
    }
    let _ = bbans::elbo(&model, data.view(), 1, 0, 0);
});
