//! Files of values of any type.

use bbans::data::{Element, Kind};
use ndarray::ArrayD;

use super::npy_with;

/// All types of values: each with its description in .npy files, and its number in IDX files.
const TYPES: [(Kind, &str, Option<u8>); 11] = [
    (Kind::Bool, "b1", None),
    (Kind::U8, "u1", Some(0x08)),
    (Kind::I8, "i1", Some(0x09)),
    (Kind::U16, "u2", None),
    (Kind::I16, "i2", Some(0x0b)),
    (Kind::U32, "u4", None),
    (Kind::I32, "i4", Some(0x0c)),
    (Kind::U64, "u8", None),
    (Kind::I64, "i8", None),
    (Kind::F32, "f4", Some(0x0d)),
    (Kind::F64, "f8", Some(0x0e)),
];

/// All types of values, in both orders of bytes where there are several.
pub fn elements() -> impl Iterator<Item = Element> {
    let of = |kind| [false, true].map(|big_endian| Element { kind, big_endian });
    let all = TYPES.iter().flat_map(move |&(kind, ..)| of(kind));
    all.filter(|element| element.size() > 1 || !element.big_endian)
}

/// Whether values of a type may be below 0.
pub fn is_signed(kind: Kind) -> bool {
    let signed = [Kind::I8, Kind::I16, Kind::I32, Kind::I64];
    signed.contains(&kind) || is_float(kind)
}

/// Whether values of a type may be fractions.
pub fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::F32 | Kind::F64)
}

/// The bytes of a number as a value of a type; the nearest one that the type has.
pub fn value(element: Element, number: f64) -> Vec<u8> {
    let mut bytes = match element.kind {
        Kind::Bool | Kind::U8 => (number as u8).to_le_bytes().to_vec(),
        Kind::I8 => (number as i8).to_le_bytes().to_vec(),
        Kind::U16 => (number as u16).to_le_bytes().to_vec(),
        Kind::I16 => (number as i16).to_le_bytes().to_vec(),
        Kind::U32 => (number as u32).to_le_bytes().to_vec(),
        Kind::I32 => (number as i32).to_le_bytes().to_vec(),
        Kind::U64 => (number as u64).to_le_bytes().to_vec(),
        Kind::I64 => (number as i64).to_le_bytes().to_vec(),
        Kind::F32 => (number as f32).to_le_bytes().to_vec(),
        Kind::F64 => number.to_le_bytes().to_vec(),
    };
    if element.big_endian {
        bytes.reverse();
    }
    bytes
}

/// An .npy file of these values, as NumPy writes it.
pub fn npy_of(values: &ArrayD<Vec<u8>>, element: Element, fortran: bool) -> Vec<u8> {
    let order = match (element.size(), element.big_endian) {
        (1, _) => '|',
        (_, true) => '>',
        (_, false) => '<',
    };
    let code = of_kind(element.kind).1;
    let shape: Vec<String> = values.shape().iter().map(ToString::to_string).collect();
    let shape = match &shape[..] {
        [one] => format!("{one},"),
        _ => shape.join(", "),
    };
    let order_of_axes = if fortran { "True" } else { "False" };
    let dictionary = format!(
        "{{'descr': '{order}{code}', 'fortran_order': {order_of_axes}, 'shape': ({shape}), }}"
    );
    let bytes: Vec<u8> = match fortran {
        true => values.t().iter().flatten().copied().collect(),
        false => raw_of(values),
    };
    npy_with(&dictionary, &bytes)
}

/// An IDX file of these values, if there is one of their type.
pub fn idx_of(values: &ArrayD<Vec<u8>>, element: Element) -> Option<Vec<u8>> {
    let code = of_kind(element.kind).2?;
    if element.size() > 1 && !element.big_endian {
        return None;
    }
    let mut file = vec![0, 0, code, values.ndim() as u8];
    for &size in values.shape() {
        file.extend((size as u32).to_be_bytes());
    }
    file.extend(raw_of(values));
    Some(file)
}

/// These values and nothing else.
pub fn raw_of(values: &ArrayD<Vec<u8>>) -> Vec<u8> {
    values.iter().flatten().copied().collect()
}

fn of_kind(kind: Kind) -> (Kind, &'static str, Option<u8>) {
    *TYPES.iter().find(|found| found.0 == kind).unwrap()
}
