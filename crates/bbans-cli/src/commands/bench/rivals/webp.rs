//! WebP, lossless.

use anyhow::{Result, anyhow};
use webp::{Decoder, Encoder, WebPConfig};

use super::{Image, Kind, Laid, Piece, Rival, image, pick};

pub(super) struct WebP;

/// Greatest width and height of the format.
const MAX_SIZE: u32 = 16_383;

impl Rival for WebP {
    fn name(&self) -> &'static str {
        "WebP lossless -z 9"
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        match laid.kind {
            Kind::Image(image) => image.width.max(image.height) <= MAX_SIZE && image.depth <= 8,
            _ => false,
        }
    }

    fn encode(&self, piece: Piece<'_>, _: usize) -> Result<Vec<u8>> {
        let image = image(piece)?;
        let mut config = WebPConfig::new().map_err(|()| anyhow!("no configuration"))?;
        config.lossless = 1;
        config.quality = 100.0;
        config.method = 6;
        config.exact = 1;
        let pixels = coloured(piece.bytes, image);
        let encoder = match image.channels {
            1 | 3 => Encoder::from_rgb(&pixels, image.width, image.height),
            _ => Encoder::from_rgba(&pixels, image.width, image.height),
        };
        let file = encoder
            .encode_advanced(&config)
            .map_err(|e| anyhow!("{e:?}"))?;
        Ok(file.to_vec())
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        let pixels = Decoder::new(file)
            .decode()
            .ok_or_else(|| anyhow!("not decoded"))?;
        let samples = if pixels.is_alpha() { 4 } else { 3 };
        Ok(pick(&pixels, samples, image(piece)?))
    }
}

/// Pixels as colours: grey three times, white as 255.
fn coloured(values: &[u8], image: Image) -> Vec<u8> {
    match image.channels {
        1 => {
            let scale = if image.depth == 1 { 255 } else { 1 };
            values.iter().flat_map(|&v| [v * scale; 3]).collect()
        }
        2 => {
            let pixels = values.chunks_exact(2);
            pixels.flat_map(|p| [p[0], p[0], p[0], p[1]]).collect()
        }
        _ => values.to_vec(),
    }
}
