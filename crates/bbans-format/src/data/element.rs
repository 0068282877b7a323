//! The types of values in files of values.

use bbans_core::{Error, Result};

/// What stands for a number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// Its type.
    pub kind: Kind,
    /// Whether its first byte is the highest.
    pub big_endian: bool,
}

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F32,
    F64,
}

/// Of each type its name, its letter and size in .npy files, its number in IDX files. A header of ours has the place in
/// this list.
const KINDS: [(Kind, &str, &str, Option<u8>); 11] = [
    (Kind::Bool, "bool", "b1", None),
    (Kind::U8, "u8", "u1", Some(0x08)),
    (Kind::I8, "i8", "i1", Some(0x09)),
    (Kind::U16, "u16", "u2", None),
    (Kind::I16, "i16", "i2", Some(0x0b)),
    (Kind::U32, "u32", "u4", None),
    (Kind::I32, "i32", "i4", Some(0x0c)),
    (Kind::U64, "u64", "u8", None),
    (Kind::I64, "i64", "i8", None),
    (Kind::F32, "f32", "f4", Some(0x0d)),
    (Kind::F64, "f64", "f8", Some(0x0e)),
];

/// Whole numbers up to this size are exact as floating-point numbers of 64 bits.
const EXACT: f64 = (1u64 << 53) as f64;

impl Element {
    /// Bytes, which have no order.
    pub const U8: Self = Self {
        kind: Kind::U8,
        big_endian: false,
    };

    /// The type of this name: `u16`, or with `be` after it if the first byte is the highest.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if there is none.
    pub fn of_name(name: &str) -> Result<Self> {
        let (base, big_endian) = match name.strip_suffix("be") {
            Some(base) => (base, true),
            None => (name.strip_suffix("le").unwrap_or(name), false),
        };
        let found = KINDS.iter().find(|kind| kind.1 == base);
        let (kind, ..) = *found.ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.1).collect();
            Error::invalid_argument(format!(
                "a type {name:?}; expected one of {}, with be after it if the first byte is the highest",
                names.join(", ")
            ))
        })?;
        Ok(Self::ordered(kind, big_endian))
    }

    /// The narrowest type of whole numbers that has all from `least` to `greatest`.
    pub fn of_numbers(least: i64, greatest: i64) -> Self {
        let kinds = [
            (Kind::U8, 0, 255),
            (Kind::I8, -128, 127),
            (Kind::U16, 0, 65_535),
            (Kind::I16, -32_768, 32_767),
            (Kind::I32, i64::from(i32::MIN), i64::from(i32::MAX)),
        ];
        let fits = |&&(_, low, high): &&(Kind, i64, i64)| low <= least && greatest <= high;
        let kind = kinds.iter().find(fits).map_or(Kind::I64, |kind| kind.0);
        Self::ordered(kind, false)
    }

    /// A single byte has no order.
    fn ordered(kind: Kind, big_endian: bool) -> Self {
        let one = Self {
            kind,
            big_endian: false,
        };
        Self {
            big_endian: big_endian && one.size() > 1,
            ..one
        }
    }

    /// The type of this description in an .npy file, if it is one of numbers.
    pub(crate) fn of_npy(descr: &str) -> Option<Self> {
        let (order, code) = descr.split_at_checked(1)?;
        let (kind, ..) = *KINDS.iter().find(|kind| kind.2 == code)?;
        let element = Self::ordered(kind, order == ">");
        let ordered = match order {
            "|" => element.size() == 1,
            "<" | ">" | "=" => true,
            _ => false,
        };
        // "=" is of the machine that wrote the file, and nobody knows which that was.
        (ordered && order != "=").then_some(element)
    }

    /// Its description in an .npy file, as NumPy writes it.
    pub(crate) fn npy(self) -> String {
        let order = match (self.size(), self.big_endian) {
            (1, _) => '|',
            (_, true) => '>',
            (_, false) => '<',
        };
        format!("{order}{}", self.entry().2)
    }

    /// The type of this number in an IDX file, if there is one.
    pub(crate) fn of_idx(code: u8) -> Option<Self> {
        let found = KINDS.iter().find(|kind| kind.3 == Some(code))?;
        Some(Self::ordered(found.0, true))
    }

    /// Its number in an IDX file, if there is one.
    pub(crate) fn idx(self) -> Option<u8> {
        let code = self.entry().3?;
        (Self::of_idx(code) == Some(self)).then_some(code)
    }

    /// Its number in a header.
    pub(crate) fn code(self) -> u8 {
        let at = KINDS.iter().position(|kind| kind.0 == self.kind);
        at.unwrap_or(0) as u8 | u8::from(self.big_endian) << 7
    }

    /// The type of a number in a header, if there is one.
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        let (kind, ..) = *KINDS.get(usize::from(code & 0x7f))?;
        let element = Self::ordered(kind, code & 0x80 != 0);
        (element.code() == code).then_some(element)
    }

    fn entry(self) -> (Kind, &'static str, &'static str, Option<u8>) {
        let found = KINDS.iter().find(|kind| kind.0 == self.kind);
        *found.unwrap_or(&KINDS[0])
    }

    /// Its name.
    pub fn name(self) -> String {
        format!(
            "{}{}",
            self.entry().1,
            if self.big_endian { "be" } else { "" }
        )
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    #[inline(always)]
    fn bits(self, bytes: &[u8]) -> Option<u64> {
        let mut low = [0; 8];
        let size = self.size();
        let bytes = bytes.get(..size)?;
        match self.big_endian {
            true => (low.iter_mut().zip(bytes.iter().rev())).for_each(|(to, from)| *to = *from),
            false => low[..size].copy_from_slice(bytes),
        }
        Some(u64::from_le_bytes(low))
    }

    /// The value of these bytes, for messages.
    pub fn shown(self, bytes: &[u8]) -> String {
        let bits = self.bits(bytes).unwrap_or(0);
        match (self.kind, self.number(bytes)) {
            (Kind::F32, _) => f32::from_bits(bits as u32).to_string(),
            (Kind::F64, _) => f64::from_bits(bits).to_string(),
            (_, Some(number)) => number.to_string(),
            (_, None) => bits.to_string(),
        }
    }

    /// The whole number that these bytes stand for, if [`Element::put`] of it gives the same bytes.
    #[inline(always)]
    pub fn number(self, bytes: &[u8]) -> Option<i64> {
        let bits = self.bits(bytes)?;
        let whole = |v: f64, negative_zero: bool| {
            (v.fract() == 0.0 && v.abs() <= EXACT && !negative_zero).then_some(v as i64)
        };
        match self.kind {
            Kind::Bool => (bits <= 1).then_some(bits as i64),
            Kind::U8 | Kind::U16 | Kind::U32 => Some(bits as i64),
            Kind::U64 => i64::try_from(bits).ok(),
            Kind::I8 => Some(i64::from(bits as i8)),
            Kind::I16 => Some(i64::from(bits as i16)),
            Kind::I32 => Some(i64::from(bits as i32)),
            Kind::I64 => Some(bits as i64),
            Kind::F32 => {
                let v = f32::from_bits(bits as u32);
                whole(f64::from(v), v.to_bits() == (-0.0f32).to_bits())
            }
            Kind::F64 => {
                let v = f64::from_bits(bits);
                whole(v, v.to_bits() == (-0.0f64).to_bits())
            }
        }
    }

    /// Appends the bytes of a number; false if the type does not have it.
    #[inline(always)]
    pub fn put(self, number: i64, out: &mut Vec<u8>) -> bool {
        let bits = match self.kind {
            Kind::F32 => u64::from((number as f32).to_bits()),
            Kind::F64 => (number as f64).to_bits(),
            _ => number as u64,
        };
        let low = bits.to_le_bytes();
        let bytes = &low[..self.size()];
        let start = out.len();
        match self.big_endian {
            true => out.extend(bytes.iter().rev()),
            false => out.extend(bytes),
        }
        self.number(&out[start..]) == Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn elements() -> impl Iterator<Item = Element> {
        let both = |kind| [false, true].map(|big| Element::ordered(kind, big));
        KINDS.iter().flat_map(move |kind| both(kind.0))
    }

    proptest! {
        #[test]
        fn a_number_has_one_form(bytes in any::<[u8; 8]>(), small in -70_000i64..70_000) {
            for element in elements() {
                if let Some(number) = element.number(&bytes) {
                    let mut out = Vec::new();
                    prop_assert!(element.put(number, &mut out));
                    prop_assert_eq!(&out[..], &bytes[..element.size()]);
                }
                let mut out = Vec::new();
                if element.put(small, &mut out) {
                    prop_assert_eq!(element.number(&out), Some(small));
                }
            }
        }
    }

    #[test]
    fn names_and_codes_come_back() {
        for element in elements() {
            assert_eq!(Element::of_name(&element.name()).unwrap(), element);
            assert_eq!(Element::of_code(element.code()), Some(element));
            assert_eq!(Element::of_npy(&element.npy()), Some(element));
            if let Some(code) = element.idx() {
                assert_eq!(Element::of_idx(code), Some(element));
            }
        }
        for name in ["", "u3", "int16", "u16bebe"] {
            assert!(Element::of_name(name).is_err(), "{name}");
        }
        assert_eq!(Element::of_code(0x81), None);
        assert_eq!(Element::of_npy("<c8"), None);
    }

    #[test]
    fn what_is_no_whole_number_is_none() {
        let of = |v: f64| Element::of_name("f64").unwrap().number(&v.to_le_bytes());
        assert_eq!(of(-3.0), Some(-3));
        for v in [0.5, f64::NAN, f64::INFINITY, -0.0, 1e300] {
            assert_eq!(of(v), None, "{v}");
        }
    }
}
