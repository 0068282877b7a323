//! The headers of files of values.

use std::io::Read;

use bbans_core::{Error, Result};

use super::{Array, Form};
use crate::container::dims_of;
use crate::data::element::Element;
use crate::data::npy;
use crate::data::picture::pnm;

/// What a header says, and the bytes after it that were read with it.
pub(in crate::data) struct Header {
    pub(in crate::data) array: Array,
    /// Of one datum; empty if the file is one row of values, which somebody has to cut.
    pub(in crate::data) shape: Vec<usize>,
    /// Number of data, or of values in a row; unknown where no header says it.
    pub(in crate::data) count: Option<usize>,
    pub(in crate::data) first: Vec<u8>,
}

impl Header {
    /// # Errors
    /// If data of this shape have no values, or too many.
    pub(in crate::data) fn new(
        array: Array,
        shape: Vec<usize>,
        count: Option<usize>,
        first: Vec<u8>,
    ) -> Result<Self> {
        let header = Self {
            array,
            shape,
            count,
            first,
        };
        if !header.is_flat() && dims_of(&header.shape)? == 0 {
            return Err(Error::invalid_argument(format!(
                "data of shape {:?}",
                header.shape
            )));
        }
        Ok(header)
    }

    /// Whether it is one row of values.
    pub(in crate::data) fn is_flat(&self) -> bool {
        self.shape.is_empty() && self.count.is_some()
    }
}

/// That of an IDX file, which begins with `prefix`.
///
/// # Errors
/// If it is none that is read.
pub(in crate::data) fn idx(mut prefix: Vec<u8>, stream: &mut impl Read) -> Result<Header> {
    let bad = |what: String| Err(Error::invalid_argument(format!("an IDX file {what}")));
    if prefix.len() < 4 {
        return bad("that ends within its header".into());
    }
    let (kind, rank) = (prefix[2], usize::from(prefix[3]));
    let Some(element) = Element::of_idx(kind) else {
        return bad(format!(
            "of type 0x{kind:02x}; expected 0x08 or 0x09 (bytes), 0x0b or 0x0c (integers), 0x0d or 0x0e (floats)"
        ));
    };
    if !(1..=9).contains(&rank) {
        return bad(format!(
            "with {rank} axes; expected the count and those of a datum, 1 to 9"
        ));
    }
    let missing = (4 + 4 * rank).saturating_sub(prefix.len()) as u64;
    stream.take(missing).read_to_end(&mut prefix)?;
    if prefix.len() < 4 + 4 * rank {
        return bad("that ends within its header".into());
    }
    // The first bytes of a file of few axes may be values already.
    let values = prefix.split_off(4 + 4 * rank);
    let sizes = prefix[4..].chunks_exact(4);
    let mut sizes = sizes.map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    let count = sizes.next().unwrap_or(0);
    let shape = sizes.collect();
    let array = Array {
        form: Form::Idx,
        prefix,
        element,
        fortran: false,
    };
    Header::new(array, shape, Some(count), values)
}

/// That of an .npy file, which begins with `prefix`.
///
/// # Errors
/// If it is none that is read.
pub(in crate::data) fn npy(mut prefix: Vec<u8>, stream: &mut impl Read) -> Result<Header> {
    let wide = prefix.get(6).is_some_and(|&major| major >= 2);
    stream
        .take(if wide { 4 } else { 2 })
        .read_to_end(&mut prefix)?;
    let len = prefix
        .get(8..)
        .unwrap_or_default()
        .iter()
        .rev()
        .fold(0, |n, &b| n << 8 | u64::from(b));
    if len > 1 << 16 {
        return Err(Error::invalid_argument(format!(
            "an .npy file with a header of {len} bytes"
        )));
    }
    let start = prefix.len();
    stream.take(len).read_to_end(&mut prefix)?;
    let text = prefix.get(start..).unwrap_or_default();
    if (text.len() as u64) < len || len == 0 {
        return Err(Error::invalid_argument(
            "an .npy file that ends within its header",
        ));
    }
    let npy::Header {
        element,
        fortran,
        count,
        shape,
    } = npy::parse_dictionary(&String::from_utf8_lossy(text))?;
    let array = Array {
        form: Form::Npy,
        prefix,
        element,
        fortran,
    };
    Header::new(array, shape, Some(count), Vec::new())
}

/// That of a PGM or a PPM, which begins with `prefix`: one picture.
///
/// # Errors
/// If it is none that is read.
pub(in crate::data) fn pnm(mut prefix: Vec<u8>, stream: &mut impl Read) -> Result<Header> {
    let header = loop {
        match pnm::parse(&prefix)? {
            Some(header) => break header,
            None => {
                // Twice as much, so that a long header is not looked at once for each of its bytes.
                let before = prefix.len();
                stream.take(before as u64).read_to_end(&mut prefix)?;
                if prefix.len() == before {
                    return Err(Error::invalid_argument(
                        "a PNM file that ends within its header",
                    ));
                }
            }
        }
    };
    let element = header.element().ok_or_else(|| {
        Error::invalid_argument(
            "a PBM file, of bits; expected PGM or PPM: convert it with pnmdepth or pbmtopgm",
        )
    })?;
    let first = prefix.split_off(header.len);
    let array = Array {
        form: Form::Pnm,
        prefix,
        element,
        fortran: false,
    };
    Header::new(array, header.shape, Some(1), first)
}
