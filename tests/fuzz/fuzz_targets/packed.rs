//! Any bytes as a packed model: refused, or a model that packs to what is read as the same.
#![no_main]

use bbans::VaeModel;
use bbans::nn::{ModelFile, Vae};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ModelFile::unpack(bytes) else {
        return;
    };
    let values: usize = file.tensors.values().map(|tensor| tensor.values.len()).sum();
    if values < 1 << 16 {
        let again = ModelFile::unpack(&file.pack().unwrap()).unwrap();
        assert_eq!(again.tensors, file.tensors);
    }
    let _ = Vae::new(&file).map(VaeModel::new);
});
