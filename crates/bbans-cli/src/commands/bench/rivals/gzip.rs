//! gzip.

use std::io::{Read, Write};

use anyhow::Result;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::{Laid, Piece, Rival, is_stream};

pub(super) struct Gzip;

impl Rival for Gzip {
    fn name(&self) -> &'static str {
        "gzip -9"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        is_stream(laid)
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(piece.bytes)?;
        Ok(encoder.finish()?)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
