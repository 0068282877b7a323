//! The header of .npy files (NumPy enhancement proposal 1).

use bbans_core::{Error, Result};

/// The first bytes of every .npy file.
pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Number and shape of the data of a header's dictionary.
pub(crate) fn parse_dictionary(text: &str) -> Result<(usize, Vec<usize>)> {
    let bad = |what: &str| Error::invalid_argument(format!("an .npy file {what}"));
    let descr = field(text, "descr").ok_or_else(|| bad("without a descr in its header"))?;
    let descr = descr.trim_matches(['\'', '"']);
    if !matches!(descr, "|u1" | "|b1" | "|i1" | "<u1" | ">u1") {
        return Err(bad(&format!(
            "of type {descr:?}; expected bytes (|u1, |b1 or |i1). .astype('uint8') changes every \
             value that is no whole number from 0 to 255: use it only where np.array_equal(a, \
             a.astype('uint8')) is true; other values cannot be compressed yet"
        )));
    }
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
    if field(text, "fortran_order") != Some("False") && sizes.len() > 1 {
        return Err(bad(
            "in Fortran order; expected C order: save np.ascontiguousarray of it",
        ));
    }
    match sizes.split_first() {
        Some((&count, shape)) if !shape.is_empty() => Ok((count, shape.to_vec())),
        _ => Err(bad(&format!(
            "of shape {sizes:?}; expected (count, ...) with at least two axes"
        ))),
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
        assert_eq!(parse_dictionary(text).unwrap(), (10_000, vec![28, 28]));
    }

    #[test]
    fn refuses_floats_fortran_order_and_scalars() {
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}")
        };
        for (descr, order, shape) in [
            ("<f4", "False", "(3, 4)"),
            ("|u1", "True", "(3, 4)"),
            ("|u1", "False", "(3,)"),
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
