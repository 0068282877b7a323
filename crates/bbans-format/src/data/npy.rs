//! The header of .npy files (NumPy enhancement proposal 1).

use bbans_core::{Error, Result};

use super::element::Element;

/// The first bytes of every .npy file.
pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// What the header of an .npy file says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) element: Element,
    /// Whether the first axis is the one whose values are side by side.
    pub(crate) fortran: bool,
    pub(crate) count: usize,
    /// Of one datum; empty if the array has one axis.
    pub(crate) shape: Vec<usize>,
}

/// Parses the dictionary of a header.
pub(crate) fn parse_dictionary(text: &str) -> Result<Header> {
    let bad = |what: &str| Error::invalid_argument(format!("an .npy file {what}"));
    let descr = field(text, "descr").ok_or_else(|| bad("without a descr in its header"))?;
    let descr = descr.trim_matches(['\'', '"']);
    let element = Element::of_npy(descr).ok_or_else(|| {
        bad(&format!(
            "of type {descr:?}; expected bool, integers, or floats of 32 or 64 bits that are whole numbers"
        ))
    })?;
    let shape = field(text, "shape").ok_or_else(|| bad("without a shape in its header"))?;
    let inner = shape.trim_start_matches('(').trim_end_matches(')');
    let sizes = inner
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty())
        .map(str::parse);
    let sizes: Vec<usize> = sizes
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| bad("with a shape that is no list of numbers"))?;
    let fortran = match field(text, "fortran_order") {
        Some("True") => sizes.len() > 1,
        Some("False") => false,
        _ => return Err(bad("whose header does not say the order of its axes")),
    };
    match sizes.split_first() {
        Some((&count, shape)) => Ok(Header {
            element,
            fortran,
            count,
            shape: shape.to_vec(),
        }),
        None => Err(bad("of a single number; expected (count, ...)")),
    }
}

/// The value of a key in the dictionary's text, as it is written there.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let after = [format!("'{key}'"), format!("\"{key}\"")]
        .iter()
        .find_map(|quoted| {
            text.find(quoted.as_str())
                .map(|at| &text[at + quoted.len()..])
        })?;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let end = match value.starts_with('(') {
        true => value.find(')')? + 1,
        false => value.find([',', '}'])?,
    };
    Some(value[..end].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_numpy_writes() {
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (10000, 28, 28), }   \n";
        let header = parse_dictionary(text).unwrap();
        assert_eq!((header.count, header.shape), (10_000, vec![28, 28]));
        assert_eq!((header.element, header.fortran), (Element::U8, false));
        let text = "{'descr': '<i2', 'fortran_order': True, 'shape': (3, 4), }";
        let header = parse_dictionary(text).unwrap();
        assert_eq!(
            (header.element.name().as_str(), header.fortran),
            ("i16", true)
        );
    }

    #[test]
    fn refuses_what_has_no_numbers_or_no_data() {
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
        };
        for (descr, order, shape) in [
            ("<c8", "False", "(3, 4)"),
            ("<U8", "False", "(3, 4)"),
            ("|u1", "Perhaps", "(3, 4)"),
            ("|u1", "False", "()"),
            ("|u1", "False", "(-3, 4)"),
            ("|u1", "False", "(99999999999999999999, 4)"),
        ] {
            assert!(parse_dictionary(&header(descr, order, shape)).is_err());
        }
        assert!(parse_dictionary("").is_err());
        assert!(parse_dictionary("{'descr'").is_err());
    }
}
