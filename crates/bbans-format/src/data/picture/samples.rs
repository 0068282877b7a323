//! How the values of a picture's rows lie in bytes, in PNG and in PNM alike.

/// What holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    /// A bit, the highest of a byte first; a row ends with its last byte.
    Bits,
    /// A byte.
    Bytes,
    /// Two bytes, the higher first.
    Words,
}

impl Samples {
    /// Bytes of a row of `row` values.
    pub(crate) fn row_bytes(self, row: usize) -> usize {
        match self {
            Self::Bits => row.div_ceil(8),
            Self::Bytes => row,
            Self::Words => row.saturating_mul(2),
        }
    }

    /// The values of rows of `row` values each; bits that fill up a row are passed over.
    pub(super) fn unpack(self, bytes: &[u8], row: usize) -> Vec<u16> {
        match self {
            Self::Bits => {
                let bits = |byte: &u8| (0..8).map(|i| *byte >> (7 - i) & 1).collect::<Vec<_>>();
                let rows = bytes.chunks_exact(self.row_bytes(row).max(1));
                let rows = rows.flat_map(|bytes| bytes.iter().flat_map(bits).take(row));
                rows.map(u16::from).collect()
            }
            Self::Bytes => bytes.iter().copied().map(u16::from).collect(),
            Self::Words => {
                let (words, _) = bytes.as_chunks();
                words.iter().copied().map(u16::from_be_bytes).collect()
            }
        }
    }

    /// The bytes that [`Samples::unpack`] takes apart; bits that fill up a row are 0.
    pub(super) fn pack(self, values: &[u16], row: usize) -> Vec<u8> {
        match self {
            Self::Bits => {
                let byte = |bits: &[u16]| {
                    let bits = bits.iter().enumerate();
                    bits.fold(0, |byte, (i, &v)| byte | ((v & 1) as u8) << (7 - i))
                };
                let rows = values.chunks(row.max(1));
                rows.flat_map(|row| row.chunks(8).map(byte)).collect()
            }
            Self::Bytes => values.iter().map(|&v| v as u8).collect(),
            Self::Words => values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_bits_end_with_their_byte() {
        let values = [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        let bytes = Samples::Bits.pack(&values, 9);
        assert_eq!(bytes, [0x80, 0x80, 0x40, 0]);
        assert_eq!(Samples::Bits.unpack(&bytes, 9), values);
    }

    #[test]
    fn words_start_with_their_higher_byte() {
        assert_eq!(Samples::Words.pack(&[0x1234], 1), [0x12, 0x34]);
        assert_eq!(Samples::Words.unpack(&[0x12, 0x34], 1), [0x1234]);
    }
}
