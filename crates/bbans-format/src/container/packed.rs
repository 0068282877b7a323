//! Symbols as they are, of as few bits as hold each.

use bbans_core::{Error, Result};

/// Symbols of a block, each of `bits` bits, the first in the lowest bits of the first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Bits of a symbol, 1 to 16.
    bits: u32,
    bytes: Vec<u8>,
}

impl Packed {
    /// Bits of a symbol of so many levels: 1 to 16.
    pub fn bits_of(levels: usize) -> u32 {
        levels.saturating_sub(1).max(1).ilog2().min(15) + 1
    }

    /// Bytes of `count` symbols of `bits` bits each.
    pub fn len_of(count: usize, bits: u32) -> usize {
        (count as u64 * u64::from(bits)).div_ceil(8) as usize
    }

    /// Symbols, of which none has more than `bits` bits.
    pub fn new(symbols: &[u16], bits: u32) -> Self {
        let mut bytes = Vec::with_capacity(Self::len_of(symbols.len(), bits));
        let (mut rest, mut held) = (0u32, 0);
        for &symbol in symbols {
            rest |= u32::from(symbol) << held;
            held += bits;
            while held >= 8 {
                bytes.push(rest as u8);
                rest >>= 8;
                held -= 8;
            }
        }
        if held > 0 {
            bytes.push(rest as u8);
        }
        Self { bits, bytes }
    }

    /// What a file has.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Corruption`] if no encoder writes that: the bits after `count` symbols are not 0.
    pub(super) fn from_bytes(bytes: Vec<u8>, count: usize, bits: u32) -> Result<Self> {
        let packed = Self { bits, bytes };
        if Self::new(&packed.symbols(count), bits) != packed {
            return Err(Error::corruption(format!(
                "{} bytes that are not {count} symbols of {bits} bits",
                packed.bytes.len()
            )));
        }
        Ok(packed)
    }

    /// The first `count` symbols.
    pub fn symbols(&self, count: usize) -> Vec<u16> {
        let mask = (1u32 << self.bits) - 1;
        let mut bytes = self.bytes.iter();
        let (mut rest, mut held) = (0u32, 0);
        let mut next = || {
            while held < self.bits {
                rest |= u32::from(bytes.next().copied().unwrap_or(0)) << held;
                held += 8;
            }
            let symbol = rest & mask;
            rest >>= self.bits;
            held -= self.bits;
            symbol as u16
        };
        (0..count).map(|_| next()).collect()
    }

    /// Bits of a symbol.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_hold_the_levels() {
        let bits = [1, 2, 3, 4, 5, 16, 17, 128, 129, 256, 257, 1 << 16].map(Packed::bits_of);
        assert_eq!(bits, [1, 1, 2, 2, 3, 4, 5, 7, 8, 8, 9, 16]);
    }

    #[test]
    fn symbols_come_back() {
        for bits in 1..=16 {
            for count in 0..50usize {
                let symbol = |i: usize| (i * i * 31 % (1 << bits)) as u16;
                let symbols: Vec<u16> = (0..count).map(symbol).collect();
                let packed = Packed::new(&symbols, bits);
                assert_eq!(packed.bytes().len(), Packed::len_of(count, bits));
                assert_eq!(packed.symbols(count), symbols);
                let again = Packed::from_bytes(packed.bytes().to_vec(), count, bits).unwrap();
                assert_eq!(again, packed);
                if !(count as u32 * bits).is_multiple_of(8) {
                    let mut other = packed.bytes().to_vec();
                    *other.last_mut().unwrap() |= 0x80;
                    assert!(Packed::from_bytes(other, count, bits).is_err());
                }
            }
        }
    }
}
