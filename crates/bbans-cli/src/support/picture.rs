//! Many images as one.

use anyhow::{Result, bail};

use crate::support::rows::DataSet;

/// A picture of bytes: grey, or of as many channels as PNG has.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// 1 to 4: grey, grey and alpha, colours, colours and alpha.
    pub(crate) channels: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Images side by side, about as many in a row as there are rows; what is left is 0. The value `white` becomes 255.
    ///
    /// # Errors
    /// If the data are no images.
    pub(crate) fn tiled(data: &DataSet, white: u16) -> Result<Self> {
        let (height, width, channels) = match data.shape[..] {
            [height, width] => (height, width, 1),
            [height, width, channels @ 1..=4] => (height, width, channels),
            _ => bail!(
                "data of shape {:?} are no images; expected [height, width] or [height, width, channels]",
                data.shape
            ),
        };
        let columns = ((data.count() as f64).sqrt().ceil() as usize).max(1);
        let rows = data.count().div_ceil(columns);
        let row_len = columns * width * channels;
        let mut pixels = vec![0; row_len * rows * height];
        let white = u32::from(white.max(1));
        for (i, image) in data.symbols.chunks_exact(data.dims()).enumerate() {
            let corner = i / columns * height * row_len + i % columns * width * channels;
            for (y, row) in image.chunks_exact(width * channels).enumerate() {
                let to = &mut pixels[corner + y * row_len..][..row.len()];
                for (to, &from) in to.iter_mut().zip(row) {
                    *to = (u32::from(from) * 255 / white).min(255) as u8;
                }
            }
        }
        Ok(Self {
            width: columns * width,
            height: rows * height,
            channels,
            pixels,
        })
    }

    /// The image as a PNG file of 8 bits a pixel.
    ///
    /// # Errors
    /// If it is too large for one.
    pub(crate) fn to_png(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(
            &mut file,
            u32::try_from(self.width)?,
            u32::try_from(self.height)?,
        );
        encoder.set_color(match self.channels {
            1 => png::ColorType::Grayscale,
            2 => png::ColorType::GrayscaleAlpha,
            3 => png::ColorType::Rgb,
            _ => png::ColorType::Rgba,
        });
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_keep_every_pixel() {
        let data = DataSet {
            shape: vec![1, 2],
            symbols: vec![1, 2, 3, 4, 5, 6],
            ..DataSet::default()
        };
        let picture = Picture::tiled(&data, 255).unwrap();
        assert_eq!((picture.width, picture.height), (4, 2));
        assert_eq!(picture.pixels, [1, 2, 3, 4, 5, 6, 0, 0]);
    }
}
