//! Training data: symbols, one datum after another.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};
use crate::noise::below;

/// What the symbols of a [`Dataset`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// 0 or 1.
    Binary,
    /// 0 to 255; a pixel of value `v` is drawn anew as 1 with probability `v / 255` each time it
    /// is looked at (dynamic binarization, Salakhutdinov & Murray 2008).
    Grey,
    /// As they are.
    Levels,
}

/// Data of one shape.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Row-major, `[count, dims]`.
    symbols: Vec<u16>,
    shape: Vec<usize>,
    dims: usize,
    values: Values,
}

impl Dataset {
    /// Data from their symbols, row-major `[count, dims]`, where `dims` is the product of `shape`.
    ///
    /// # Errors
    /// If the symbols are no whole number of data, there are none, or binary data hold other values
    /// than 0 and 1.
    pub fn new(symbols: Vec<u16>, shape: Vec<usize>, values: Values) -> Result<Self> {
        let dims: usize = shape.iter().product();
        if symbols.is_empty() {
            return Err(Error::new("there are no data; expected at least 2"));
        }
        if dims == 0 || !symbols.len().is_multiple_of(dims) {
            return Err(Error::new(format!(
                "{} symbols are no whole number of data of shape {shape:?}",
                symbols.len()
            )));
        }
        if values == Values::Binary
            && let Some(v) = symbols.iter().find(|&&v| v > 1)
        {
            return Err(Error::new(format!(
                "found the value {v} in binary data; expected 0 and 1 (for grey data, --binarize)"
            )));
        }
        Ok(Self {
            symbols,
            shape,
            dims,
            values,
        })
    }

    /// Number of data.
    pub fn count(&self) -> usize {
        self.symbols.len() / self.dims
    }

    /// Observed dimensions of one datum.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Shape of one datum.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// What the symbols are.
    pub fn values(&self) -> Values {
        self.values
    }

    /// All symbols, row-major `[count, dims]`.
    pub fn symbols(&self) -> &[u16] {
        &self.symbols
    }

    /// BLAKE3 of the symbols: of a byte each, or of two where one is above 255.
    pub fn digest(&self) -> String {
        let wide = self.symbols.iter().any(|&s| s > 255);
        let bytes: Vec<u8> = match wide {
            true => self.symbols.iter().flat_map(|s| s.to_le_bytes()).collect(),
            false => self.symbols.iter().map(|&s| s as u8).collect(),
        };
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// Splits off the last `held_out` data, for validation.
    ///
    /// # Errors
    /// If nothing would be left on one of the sides.
    pub fn split(mut self, held_out: usize) -> Result<(Self, Self)> {
        let count = self.count();
        if held_out == 0 || held_out >= count {
            return Err(Error::new(format!(
                "{count} data are too few to hold {held_out} of them out for validation"
            )));
        }
        let tail = self.symbols.split_off((count - held_out) * self.dims);
        let validation = Self {
            symbols: tail,
            shape: self.shape.clone(),
            dims: self.dims,
            values: self.values,
        };
        Ok((self, validation))
    }

    /// Number of symbols of a value: one more than the greatest, and at least 2.
    pub fn levels(&self) -> usize {
        match self.values {
            Values::Binary | Values::Grey => 2,
            Values::Levels => {
                let greatest = self.symbols.iter().fold(1, |m, &b| b.max(m));
                usize::from(greatest) + 1
            }
        }
    }

    /// At most `most` data spread over the set, `[count, dims]`, as symbols; grey ones are binarized, by a fixed seed.
    pub fn spread(&self, most: usize) -> Vec<u16> {
        let count = most.min(self.count());
        let rows: Vec<usize> = (0..count).map(|i| i * self.count() / count).collect();
        self.batch(&rows, &mut ChaCha8Rng::seed_from_u64(0))
    }

    /// The data numbered `rows`, grey ones binarized, `[rows, dims]`.
    pub(crate) fn batch(&self, rows: &[usize], rng: &mut ChaCha8Rng) -> Vec<u16> {
        let mut out = Vec::with_capacity(rows.len() * self.dims);
        let mut random = vec![0u8; 2 * self.dims];
        for &row in rows {
            let pixels = &self.symbols[row * self.dims..][..self.dims];
            match self.values {
                Values::Binary | Values::Levels => out.extend_from_slice(pixels),
                Values::Grey => {
                    rng.fill_bytes(&mut random);
                    out.extend(pixels.iter().zip(random.chunks_exact(2)).map(|(&v, r)| {
                        let draw = (u32::from(u16::from_le_bytes([r[0], r[1]])) * 255) >> 16;
                        u16::from(draw < u32::from(v))
                    }));
                }
            }
        }
        out
    }
}

/// A random order of `0..count` (Fisher & Yates).
pub(crate) fn shuffled(count: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, below(rng, i + 1));
    }
    order
}
