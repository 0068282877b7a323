//! brotli.

use anyhow::Result;
use brotli::enc::BrotliEncoderParams;

use super::{Laid, Rival, is_stream};

pub(super) struct Brotli;

impl Rival for Brotli {
    fn name(&self) -> &'static str {
        "brotli -q 11"
    }

    fn takes(&self, laid: &Laid) -> bool {
        is_stream(laid)
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        let parameters = BrotliEncoderParams {
            quality: 11,
            lgwin: 24,
            size_hint: laid.bytes.len(),
            ..Default::default()
        };
        let mut file = Vec::new();
        brotli::BrotliCompress(&mut laid.bytes.as_slice(), &mut file, &parameters)?;
        Ok(file)
    }

    fn decode(&self, file: &[u8], _: &Laid) -> Result<Vec<u8>> {
        let (mut file, mut bytes) = (file, Vec::new());
        brotli::BrotliDecompress(&mut file, &mut bytes)?;
        Ok(bytes)
    }
}
