//! WebP, lossless.

use anyhow::{Result, anyhow};
use webp::{Decoder, Encoder, WebPConfig};

use super::{Kind, Laid, Rival, as_depth};

pub(super) struct WebP;

/// Greatest width and height of the format.
const MAX_SIZE: u32 = 16_383;

impl Rival for WebP {
    fn name(&self) -> &'static str {
        "WebP lossless -z 9"
    }

    fn takes(&self, laid: &Laid) -> bool {
        match laid.kind {
            Kind::Image { width, height, .. } => width.max(height) <= MAX_SIZE,
            Kind::Stream => false,
        }
    }

    fn encode(&self, laid: &Laid, _: usize) -> Result<Vec<u8>> {
        let Kind::Image {
            width,
            height,
            depth,
        } = laid.kind
        else {
            anyhow::bail!("not an image");
        };
        let scale = if depth == 1 { 255 } else { 1 };
        let rgb: Vec<u8> = laid.bytes.iter().flat_map(|&v| [v * scale; 3]).collect();
        let mut config = WebPConfig::new().map_err(|()| anyhow!("no configuration"))?;
        config.lossless = 1;
        config.quality = 100.0;
        config.method = 6;
        config.exact = 1;
        let file = Encoder::from_rgb(&rgb, width, height)
            .encode_advanced(&config)
            .map_err(|e| anyhow!("{e:?}"))?;
        Ok(file.to_vec())
    }

    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>> {
        let image = Decoder::new(file)
            .decode()
            .ok_or_else(|| anyhow!("not decoded"))?;
        let samples = if image.is_alpha() { 4 } else { 3 };
        let pixels = image.chunks_exact(samples).map(|p| p[0]).collect();
        Ok(as_depth(pixels, laid))
    }
}
