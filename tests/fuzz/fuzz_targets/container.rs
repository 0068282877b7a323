//! Any bytes as a compressed file: an error or the right data, never a panic.
#![no_main]

use std::num::NonZeroUsize;
use std::sync::LazyLock;

use bbans::container::Header;
use bbans::data::Target;
use bbans::{DataWriter, FileModel, LatentModel, VaeModel};
use libfuzzer_sys::fuzz_target;

static MODEL: LazyLock<VaeModel> = LazyLock::new(|| {
    VaeModel::from_bytes(include_bytes!("../../golden/tiny.safetensors")).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    let Ok(Some(mut header)) = Header::read(&mut input) else { return };
    // The fuzzer cannot guess a fingerprint; what comes after it is what is tested.
    header.fingerprint = MODEL.fingerprint();
    let target = Target::Stream(Box::new(std::io::sink()));
    let Ok(writer) = DataWriter::new(header.source.clone(), MODEL.dims(), target) else { return };
    let _ = bbans::decompress(&*MODEL, &header, &mut input, writer, NonZeroUsize::MIN, &mut |_| {});
});
