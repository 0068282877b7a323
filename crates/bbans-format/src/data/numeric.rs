//! Numbers of a file as symbols of a model, and back.

use std::borrow::Cow;

use bbans_core::{Error, Result};
use bbans_nn::description::{GreenFirst, Step, Values};

use super::element::Element;
use super::rows::{Exception, Rows};

/// Symbol `s` stands for the number `lowest + step * s`, which a file has as bytes of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numeric {
    pub(super) element: Element,
    pub(super) values: Step,
    /// Number of symbols; of numbers, where they are colours.
    pub(super) levels: usize,
    /// What is made of the numbers of a pixel.
    pub(super) colours: Option<GreenFirst>,
}

impl Numeric {
    /// The values of a model, of `levels` symbols, in a file of this type; none if they are the columns of a table.
    pub(super) fn new(element: Element, values: &Values, levels: usize) -> Option<Self> {
        let plain = Self {
            element,
            values: Step { lowest: 0, step: 1 },
            levels,
            colours: None,
        };
        match values {
            Values::Numbers(step) => Some(Self {
                values: *step,
                ..plain
            }),
            Values::GreenFirst(colours) => Some(Self {
                levels: colours.levels,
                colours: Some(*colours),
                ..plain
            }),
            Values::Columns(_) => None,
        }
    }

    /// Appends the symbols of values; a value that is none of the model's is an exception, with the symbol before it.
    pub(super) fn symbols(&self, bytes: &[u8], rows: &mut Rows) {
        let size = self.element.size();
        rows.symbols.reserve(bytes.len() / size);
        if self.is_plain() {
            // What the model has no symbol for is told by whoever knows its levels.
            rows.symbols.extend(bytes.iter().map(|&b| u16::from(b)));
            return;
        }
        let mut before = 0;
        for value in bytes.chunks_exact(size) {
            let symbol = self.symbol(value).unwrap_or_else(|| {
                let at = rows.symbols.len();
                let bytes = value.to_vec();
                rows.exceptions.push(Exception { at, bytes });
                before
            });
            before = symbol;
            rows.symbols.push(symbol);
        }
        if let Some(colours) = self.colours {
            let first = rows.symbols.len() - bytes.len() / size;
            let pixels = rows.symbols[first..].chunks_exact_mut(colours.channels);
            pixels.for_each(|pixel| colours.symbols(pixel));
        }
    }

    /// Whether symbols are the bytes of the file.
    fn is_plain(&self) -> bool {
        let themselves = self.values == (Step { lowest: 0, step: 1 });
        self.element == Element::U8 && themselves && self.colours.is_none()
    }

    /// Adds the symbols of a picture's values, and digests these.
    pub(super) fn of_pixels(&self, pixels: &[u16], hasher: &mut blake3::Hasher, rows: &mut Rows) {
        let mut bytes = Vec::with_capacity(pixels.len() * self.element.size());
        for &pixel in pixels {
            self.element.put(i64::from(pixel), &mut bytes);
        }
        hasher.update(&bytes);
        self.symbols(&bytes, rows);
        rows.count += 1;
    }

    #[inline(always)]
    fn symbol(&self, value: &[u8]) -> Option<u16> {
        let Step { lowest, step } = self.values;
        let above = self.element.number(value)?.checked_sub(lowest)?;
        let step = i64::from(step);
        let symbol = usize::try_from(above / step).ok()?;
        (above >= 0 && above % step == 0 && symbol < self.levels)
            .then(|| u16::try_from(symbol).ok())?
    }

    /// Appends the bytes of symbols, each times `scale`.
    pub(super) fn put(&self, rows: &Rows, scale: u16, out: &mut Vec<u8>) -> Result<()> {
        let start = out.len();
        let size = self.element.size();
        out.reserve(rows.symbols.len() * size);
        if self.is_plain() {
            let scale = scale as u8;
            let bytes = (rows.symbols.iter()).map(|&s| (s as u8).wrapping_mul(scale));
            out.extend(bytes);
        } else {
            let Step { lowest, step } = self.values;
            let mut valid = true;
            let mut symbols = Cow::from(&rows.symbols);
            if let Some(colours) = self.colours {
                let pixels = symbols.to_mut().chunks_exact_mut(colours.channels);
                pixels.for_each(|pixel| valid &= colours.channels(pixel));
                valid |= !rows.exceptions.is_empty();
            }
            for &symbol in symbols.iter() {
                let symbol = i64::from(symbol.wrapping_mul(scale));
                let number = lowest.saturating_add(i64::from(step) * symbol);
                // What an exception takes the place of need not be a number of the file's type.
                valid &= self.element.put(number, out) || !rows.exceptions.is_empty();
            }
            if !valid {
                return Err(Error::corruption(format!(
                    "a symbol whose number does not fit the type {} of the file",
                    self.element.name()
                )));
            }
        }
        for Exception { at, bytes } in &rows.exceptions {
            let at = start + at * size;
            match out.get_mut(at..at + size) {
                Some(to) if to.len() == bytes.len() => to.copy_from_slice(bytes),
                _ => {
                    return Err(Error::corruption(format!(
                        "an exception of {} bytes; expected {size}",
                        bytes.len()
                    )));
                }
            }
        }
        Ok(())
    }
}
