//! zstd.

use anyhow::Result;

use super::{Laid, Piece, Rival, is_stream};

pub(super) struct Zstd;

impl Rival for Zstd {
    fn name(&self) -> &'static str {
        "zstd -22"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        is_stream(laid)
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        Ok(zstd::bulk::compress(piece.bytes, 22)?)
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        Ok(zstd::bulk::decompress(file, piece.bytes.len())?)
    }
}
