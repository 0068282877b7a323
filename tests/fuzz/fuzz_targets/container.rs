//! Any bytes as a compressed file: an error or the right data, never a panic. Checksums are not checked
//! under `cfg(fuzzing)`, digests are: what decodes is what the file says.
#![no_main]

use bbans::container::Header;
use bbans_fuzz::{FINGERPRINTS, MODELS, decode, decode_range};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let header = Header::read(&mut &bytes[..]);
    // Of the model that it names, or else of the binary one.
    let is_of = |fingerprint| matches!(&header, Ok(Some(header)) if header.is_of(fingerprint));
    let of = FINGERPRINTS.iter().position(is_of);
    let model = &MODELS[of.unwrap_or(0)];
    let _ = decode(model, bytes);
    if of.is_some() {
        let _ = decode_range(model, bytes, 0..1);
        let _ = decode_range(model, bytes, 1..3);
    }
});
