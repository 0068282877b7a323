//! JPEG XL, by libjxl.

use std::fs;

use anyhow::Result;
use png::Filter;

use super::programs::{missing, run};
use super::{Kind, Laid, Piece, Rival, image, png as png_files};
use crate::support::files::Scratch;

pub(super) struct JpegXl;

/// The second learns from all pixels, and from other channels.
const SETTINGS: [&str; 3] = ["-e 9", "-e 9 -E 3 -I 100 -g 3", "-e 10"];
/// The setting that older versions do not have, for small images.
const GREATEST: usize = 2;
/// Bytes of an image up to which the greatest effort ends in minutes.
const MAX_BYTES: usize = 2_000_000;

impl Rival for JpegXl {
    fn name(&self) -> &'static str {
        "JPEG XL"
    }

    fn settings(&self) -> &'static [&'static str] {
        &SETTINGS
    }

    fn takes(&self, laid: &Laid, setting: usize) -> bool {
        // A tall image is one column of its groups of pixels: slow, and never the best.
        let Kind::Image(image) = laid.kind else {
            return false;
        };
        let small = || laid.pieces().map(|p| p.bytes.len()).sum::<usize>() < MAX_BYTES;
        image.height <= 64 * image.width && (setting != GREATEST || small())
    }

    fn missing(&self) -> Option<&'static str> {
        missing(&["cjxl", "djxl"], "apt install libjxl-tools")
    }

    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        let png = png_files::write(image(piece)?, piece.bytes, Filter::Adaptive)?;
        fs::write(folder.path().join("i.png"), png)?;
        let mut arguments = vec!["i.png", "o.jxl", "-d", "0", "--num_threads=0"];
        arguments.extend(SETTINGS[setting].split(' '));
        run(folder.path(), "cjxl", &arguments)?;
        Ok(fs::read(folder.path().join("o.jxl"))?)
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        fs::write(folder.path().join("i.jxl"), file)?;
        run(folder.path(), "djxl", &["i.jxl", "o.png"])?;
        png_files::read(&fs::read(folder.path().join("o.png"))?, image(piece)?)
    }
}
