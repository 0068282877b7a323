//! Headers of data files as most programs write them, which need not be kept.

use super::element::Element;

/// The header of an IDX file of `count` data of this shape, of values of this type.
pub(crate) fn idx(kind: u8, count: usize, shape: &[usize]) -> Vec<u8> {
    let mut prefix = vec![0, 0, kind, shape.len() as u8 + 1];
    let sizes = std::iter::once(&count).chain(shape);
    sizes.for_each(|&size| prefix.extend((size as u32).to_be_bytes()));
    prefix
}

/// The header of an .npy file of `count` data of this shape, as NumPy writes it: version 1.0, of a multiple of 64 bytes.
pub(crate) fn npy(element: Element, fortran: bool, count: usize, shape: &[usize]) -> Vec<u8> {
    let sizes = std::iter::once(&count).chain(shape);
    let mut sizes: Vec<String> = sizes.map(usize::to_string).collect();
    if sizes.len() == 1 {
        // A tuple of one number.
        sizes.push(String::new());
    }
    let text = format!(
        "{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}",
        element.npy(),
        if fortran { "True" } else { "False" },
        sizes.join(", ").trim_end()
    );
    let start = super::npy::MAGIC.len() + 4;
    let len = (start + text.len() + 1).next_multiple_of(64) - start;
    let mut prefix = super::npy::MAGIC.to_vec();
    prefix.extend([1, 0]);
    prefix.extend((len as u16).to_le_bytes());
    prefix.extend(text.into_bytes());
    prefix.resize(start + len - 1, b' ');
    prefix.push(b'\n');
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_other_programs() {
        let mnist = [0, 0, 8, 3, 0, 0, 0x27, 0x10, 0, 0, 0, 28, 0, 0, 0, 28];
        assert_eq!(idx(8, 10_000, &[28, 28]), mnist);
        let of_numpy = npy(Element::U8, false, 3, &[2, 4]);
        assert_eq!(of_numpy.len(), 128);
        let text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 4), }";
        assert_eq!(of_numpy[..10], *b"\x93NUMPY\x01\0v\0");
        assert!(of_numpy[10..].starts_with(text) && of_numpy.ends_with(b"  \n"));
    }
}
