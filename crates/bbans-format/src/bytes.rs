//! Reading and writing small values: fixed-size integers and LEB128.

use std::io::{ErrorKind as IoErrorKind, Read};

use bbans_core::{Error, Result};

/// Appends `n` as LEB128: seven bits a byte, lowest first, the top bit set on all but the last.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A reader that keeps count, and the checksum, of what it reads.
pub(crate) struct Recorder<'a, R> {
    input: &'a mut R,
    crc: crc32fast::Hasher,
    read: u64,
}

impl<'a, R: Read> Recorder<'a, R> {
    pub(crate) fn new(input: &'a mut R) -> Self {
        Self {
            input,
            crc: crc32fast::Hasher::new(),
            read: 0,
        }
    }

    /// Number of bytes that were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// CRC-32 of them.
    pub(crate) fn crc(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// Exactly `len` bytes. Memory grows with what is really there, not with what `len` says.
    pub(crate) fn bytes(&mut self, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = (&mut *self.input).take(len).read_to_end(&mut bytes)? as u64;
        if read < len {
            return Err(cut_short());
        }
        self.crc.update(&bytes);
        self.read += read;
        Ok(bytes)
    }

    /// `len` words of 32 bits, likewise.
    pub(crate) fn words(&mut self, len: u64) -> Result<Vec<u32>> {
        let mut words = Vec::new();
        while (words.len() as u64) < len {
            let piece = self.bytes(4 * (len - words.len() as u64).min(1 << 14))?;
            let (piece, _) = piece.as_chunks();
            words.extend(piece.iter().map(|&b| u32::from_le_bytes(b)));
        }
        Ok(words)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.input
            .read_exact(&mut array)
            .map_err(|e| match e.kind() {
                IoErrorKind::UnexpectedEof => cut_short(),
                _ => e.into(),
            })?;
        self.crc.update(&array);
        self.read += N as u64;
        Ok(array)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A LEB128 value of at most `max`; `what` is for the error.
    pub(crate) fn varint(&mut self, max: u64, what: &str) -> Result<u64> {
        let mut n = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // One form for each number: a last byte of zero would be a second one.
                if n <= max && (byte != 0 || shift == 0) {
                    return Ok(n);
                }
                break;
            }
        }
        Err(Error::corruption(format!(
            "{what} is out of range (found {n}, at most {max} expected)"
        )))
    }

    /// Reads a CRC-32 and checks it against all that was read before.
    pub(crate) fn check_crc(&mut self, what: &str) -> Result<()> {
        let computed = self.crc();
        let stored = self.u32()?;
        // A fuzzer cannot guess it, and what lies behind it is what is tested.
        if computed == stored || cfg!(fuzzing) {
            return Ok(());
        }
        Err(Error::corruption(format!(
            "the checksum of {what} does not fit (stored {stored:08x}, computed {computed:08x}); \
             the file is damaged"
        )))
    }
}

fn cut_short() -> Error {
    Error::corruption("the file ends too early; it was cut short")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_one_form() {
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), (1 << 63) - 1] {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, n);
            assert_eq!(
                Recorder::new(&mut &bytes[..])
                    .varint(u64::MAX, "n")
                    .unwrap(),
                n
            );
            assert!(
                Recorder::new(&mut &bytes[..bytes.len() - 1])
                    .varint(u64::MAX, "n")
                    .is_err()
            );
        }
        assert!(
            Recorder::new(&mut &[0x80, 0][..])
                .varint(u64::MAX, "n")
                .is_err()
        );
        assert!(
            Recorder::new(&mut &[0xff; 12][..])
                .varint(u64::MAX, "n")
                .is_err()
        );
        assert!(Recorder::new(&mut &[5][..]).varint(4, "n").is_err());
    }
}
