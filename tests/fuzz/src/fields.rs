//! Fields of files, mostly right.

use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};

/// A number: any, or one beside a power of two, where the limits are.
#[derive(Debug, Arbitrary)]
pub enum Number {
    Small(u8),
    Any(u64),
    Power { exponent: u8, less: bool },
}

impl Number {
    fn value(&self) -> u64 {
        match *self {
            Self::Small(n) => n.into(),
            Self::Any(n) => n,
            Self::Power { exponent, less } => (1u64 << (exponent % 63)) - u64::from(less),
        }
    }
}

/// A number that is now and then another one than the right one.
#[derive(Debug)]
pub struct Field(pub Option<Number>);

impl<'a> Arbitrary<'a> for Field {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let wrong = u8::arbitrary(u)? >= 240;
        Ok(Self(wrong.then(|| Number::arbitrary(u)).transpose()?))
    }
}

impl Field {
    /// The number, or the right one.
    pub fn or(&self, right: usize) -> u64 {
        self.0.as_ref().map_or(right as u64, Number::value)
    }
}

/// Appends a varint.
pub fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Appends bytes behind their length.
pub fn put_bytes(out: &mut Vec<u8>, len: &Field, bytes: &[u8]) {
    put(out, len.or(bytes.len()));
    out.extend(bytes);
}
