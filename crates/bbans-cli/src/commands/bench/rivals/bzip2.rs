//! bzip2.

use std::io::{Read, Write};

use anyhow::Result;
use bzip2::Compression;
use bzip2::read::BzDecoder;
use bzip2::write::BzEncoder;

use super::{Laid, Piece, Rival, is_stream};

pub(super) struct Bzip2;

impl Rival for Bzip2 {
    fn name(&self) -> &'static str {
        "bzip2 -9"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        is_stream(laid)
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(piece.bytes)?;
        Ok(encoder.finish()?)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        BzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
