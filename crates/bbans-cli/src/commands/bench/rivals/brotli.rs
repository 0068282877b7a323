//! brotli.

use anyhow::Result;
use brotli::enc::BrotliEncoderParams;

use super::{Laid, Piece, Rival, is_major_stream};

pub(super) struct Brotli;

impl Rival for Brotli {
    fn name(&self) -> &'static str {
        "brotli -q 11"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        is_major_stream(laid)
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let parameters = BrotliEncoderParams {
            quality: 11,
            lgwin: 24,
            size_hint: piece.bytes.len(),
            ..Default::default()
        };
        let mut file = Vec::new();
        brotli::BrotliCompress(&mut &*piece.bytes, &mut file, &parameters)?;
        Ok(file)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let (mut file, mut bytes) = (file, Vec::new());
        brotli::BrotliDecompress(&mut file, &mut bytes)?;
        Ok(bytes)
    }
}
