//! xz.

use std::io::{Read, Write};

use anyhow::Result;
use liblzma::read::XzDecoder;
use liblzma::stream::{Check, Filters, LzmaOptions, PRESET_EXTREME, Stream};
use liblzma::write::XzEncoder;

use super::{Laid, Rival, is_stream};

pub(super) struct Xz;

impl Rival for Xz {
    fn name(&self) -> &'static str {
        "xz -9e"
    }

    fn takes(&self, laid: &Laid) -> bool {
        is_stream(laid)
    }

    fn settings(&self) -> &'static [&'static str] {
        &["", "pb=0", "lc=4 pb=0"]
    }

    fn encode(&self, laid: &Laid, setting: usize) -> Result<Vec<u8>> {
        let mut options = LzmaOptions::new_preset(9 | PRESET_EXTREME)?;
        if setting > 0 {
            options.position_bits(0);
        }
        if setting > 1 {
            options.literal_context_bits(4);
        }
        let mut filters = Filters::new();
        filters.lzma2(&options);
        let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(&laid.bytes)?;
        Ok(encoder.finish()?)
    }

    fn decode(&self, file: &[u8], _: &Laid) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        XzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
