//! xz.

use std::io::{Read, Write};

use anyhow::{Result, bail};
use liblzma::read::XzDecoder;
use liblzma::stream::{Check, Filters, LzmaOptions, PRESET_EXTREME, Stream};
use liblzma::write::XzEncoder;

use super::{Kind, Laid, Piece, Rival, is_major_stream};

pub(super) struct Xz;

/// What xz is told of the bytes.
struct Setting {
    name: &'static str,
    literal_context_bits: u32,
    literal_position_bits: u32,
    position_bits: u32,
    /// Whether it takes differences itself.
    delta: bool,
    /// Of bytes, or of values of two bytes.
    width: u8,
}

const NAMES: [&str; SETTINGS.len()] = {
    let (mut names, mut i) = ([""; SETTINGS.len()], 0);
    while i < names.len() {
        names[i] = SETTINGS[i].name;
        i += 1;
    }
    names
};

const SETTINGS: [Setting; 7] = [
    setting("", [3, 0, 2], false, 1),
    setting("pb=0", [3, 0, 0], false, 1),
    setting("lc=4 pb=0", [4, 0, 0], false, 1),
    setting("delta, pb=0", [3, 0, 0], true, 1),
    setting("lp=1 pb=1", [3, 1, 1], false, 2),
    setting("lc=1 lp=1 pb=1", [1, 1, 1], false, 2),
    setting("delta, lp=1 pb=1", [3, 1, 1], true, 2),
];

const fn setting(name: &'static str, bits: [u32; 3], delta: bool, width: u8) -> Setting {
    Setting {
        name,
        literal_context_bits: bits[0],
        literal_position_bits: bits[1],
        position_bits: bits[2],
        delta,
        width,
    }
}

impl Rival for Xz {
    fn name(&self) -> &'static str {
        "xz -9e"
    }

    fn settings(&self) -> &'static [&'static str] {
        &NAMES
    }

    fn takes(&self, laid: &Laid, setting: usize) -> bool {
        let setting = &SETTINGS[setting];
        match laid.kind {
            Kind::Stream(run) => {
                is_major_stream(laid)
                    && run.width == setting.width
                    && (run.period.is_some() || !setting.delta)
            }
            _ => false,
        }
    }

    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>> {
        let Kind::Stream(run) = piece.kind else {
            bail!("not a stream");
        };
        let setting = &SETTINGS[setting];
        let mut options = LzmaOptions::new_preset(9 | PRESET_EXTREME)?;
        options
            .literal_context_bits(setting.literal_context_bits)
            .literal_position_bits(setting.literal_position_bits)
            .position_bits(setting.position_bits);
        let mut filters = Filters::new();
        if let (Some(period @ 1..), true) = (run.period, setting.delta) {
            filters.delta_properties(&[period - 1])?;
        }
        filters.lzma2(&options);
        let stream = Stream::new_stream_encoder(&filters, Check::Crc32)?;
        let mut encoder = XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(piece.bytes)?;
        Ok(encoder.finish()?)
    }

    fn decode(&self, file: &[u8], _: Piece<'_>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        XzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
