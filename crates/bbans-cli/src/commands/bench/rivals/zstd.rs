//! zstd.

use anyhow::Result;

use super::{Laid, Rival, is_stream};

pub(super) struct Zstd;

impl Rival for Zstd {
    fn name(&self) -> &'static str {
        "zstd -22"
    }

    fn takes(&self, laid: &Laid) -> bool {
        is_stream(laid)
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        Ok(zstd::bulk::compress(&laid.bytes, 22)?)
    }

    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>> {
        Ok(zstd::bulk::decompress(file, laid.bytes.len())?)
    }
}
