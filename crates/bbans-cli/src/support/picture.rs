//! Many grey images as one.

use anyhow::{Result, bail};

use crate::support::rows::DataSet;

/// A grey image, a byte a pixel.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Images side by side, about as many in a row as there are rows; what is left is 0.
    ///
    /// # Errors
    /// If the data are no images.
    pub(crate) fn tiled(data: &DataSet) -> Result<Self> {
        let &[height, width] = data.shape.as_slice() else {
            bail!(
                "data of shape {:?} are no images; expected [height, width]",
                data.shape
            );
        };
        let columns = ((data.count() as f64).sqrt().ceil() as usize).max(1);
        let rows = data.count().div_ceil(columns);
        let (total_width, total_height) = (columns * width, rows * height);
        let mut pixels = vec![0; total_width * total_height];
        for (i, image) in data.symbols.chunks_exact(data.dims()).enumerate() {
            let corner = i / columns * height * total_width + i % columns * width;
            for (y, row) in image.chunks_exact(width).enumerate() {
                let start = corner + y * total_width;
                let pixels = &mut pixels[start..start + width];
                (pixels.iter_mut().zip(row)).for_each(|(to, &from)| *to = from as u8);
            }
        }
        Ok(Self {
            width: total_width,
            height: total_height,
            pixels,
        })
    }

    /// The same with `white` as 255.
    #[must_use]
    pub(crate) fn brightened(mut self, white: u8) -> Self {
        let white = u32::from(white.max(1));
        for p in &mut self.pixels {
            *p = (u32::from(*p) * 255 / white).min(255) as u8;
        }
        self
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
        encoder.set_color(png::ColorType::Grayscale);
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
        };
        let picture = Picture::tiled(&data).unwrap();
        assert_eq!((picture.width, picture.height), (4, 2));
        assert_eq!(picture.pixels, [1, 2, 3, 4, 5, 6, 0, 0]);
    }
}
