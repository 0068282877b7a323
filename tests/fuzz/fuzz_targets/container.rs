//! Any bytes as a compressed file: an error or the right data, never a panic. Checksums are not checked
//! under `cfg(fuzzing)`, digests are: what decodes is what the file says.
#![no_main]

use bbans_fuzz::{MODELS, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = decode(&MODELS[0], bytes);
});
