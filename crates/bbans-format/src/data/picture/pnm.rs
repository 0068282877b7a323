//! The binary kinds of PNM: PBM (P4), PGM (P5) and PPM (P6), as netpbm describes them.
//!
//! A header, then the values with nothing between them, from a bit to two bytes each. The header is
//! kept as it is, with its comments, so that the file comes back to the byte.

use bbans_core::{Error, Result};

use super::samples::Samples;
use crate::container::dims_of;
use crate::data::element::{Element, Kind};

/// Most bytes of a header.
pub(crate) const MAX_HEADER: usize = 1 << 16;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the header; the values follow.
    pub(crate) len: usize,
    /// `[height, width]`, or `[height, width, 3]` for PPM.
    pub(crate) shape: Vec<usize>,
    /// The greatest value; 1 for PBM.
    pub(crate) max: u16,
    /// What holds a value.
    pub(crate) samples: Samples,
}

/// Whether a file that starts so may be a PNM, of a kind that is read or of one that is refused.
pub(crate) fn is_pnm(head: &[u8]) -> bool {
    matches!(head, [b'P', b'1'..=b'7', after, ..] if is_space(*after) || *after == b'#')
}

/// The header at the start of `prefix`; `None` if it goes on after that.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if it is none that is read, or of over [`MAX_HEADER`]
/// bytes.
pub(crate) fn parse(prefix: &[u8]) -> Result<Option<Header>> {
    let Some(&[p, kind]) = prefix.first_chunk() else {
        return Ok(None);
    };
    if p != b'P' {
        return Err(Error::invalid_argument(
            "no PNM; expected a file that starts with P5 or P6",
        ));
    }
    let fields = match kind {
        b'4' => 2,
        b'5' | b'6' => 3,
        _ => return Err(refused(kind)),
    };
    let within = &prefix[..prefix.len().min(MAX_HEADER)];
    let mut text = Text {
        bytes: within,
        at: 2,
    };
    match text.numbers(fields)? {
        Some(numbers) => Header::new(kind, text.at, numbers).map(Some),
        None if within.len() < MAX_HEADER => Ok(None),
        None => Err(Error::invalid_argument(format!(
            "a PNM whose header has over {MAX_HEADER} bytes; expected fewer: shorten its comments"
        ))),
    }
}

fn refused(kind: u8) -> Error {
    Error::invalid_argument(match kind {
        b'1'..=b'3' => format!(
            "a PNM of text (P{}); expected a binary one, P5 or P6: convert it with pnmtopnm",
            char::from(kind)
        ),
        b'7' => "a PAM (P7); expected a PGM or PPM: convert it with pamtopnm, or to PNG if it \
                 has alpha"
            .into(),
        _ => "no PNM; expected a file that starts with P5 or P6".into(),
    })
}

impl Header {
    fn new(kind: u8, len: usize, [width, height, max]: [usize; 3]) -> Result<Self> {
        let mut shape = vec![height, width];
        if kind == b'6' {
            shape.push(3);
        }
        if dims_of(&shape)? == 0 {
            return Err(Error::invalid_argument(format!(
                "a PNM of {width} by {height} pixels; expected at least one"
            )));
        }
        let (max, samples) = match (kind, u16::try_from(max)) {
            (b'4', _) => (1, Samples::Bits),
            (_, Ok(max @ 1..=255)) => (max, Samples::Bytes),
            (_, Ok(max @ 256..)) => (max, Samples::Words),
            _ => {
                return Err(Error::invalid_argument(format!(
                    "a PNM whose greatest value is {max}; expected 1 to 65535"
                )));
            }
        };
        Ok(Self {
            len,
            shape,
            max,
            samples,
        })
    }

    /// The type of a value; none if they are bits.
    pub(crate) fn element(&self) -> Option<Element> {
        let (kind, big_endian) = match self.samples {
            Samples::Bits => return None,
            Samples::Bytes => (Kind::U8, false),
            Samples::Words => (Kind::U16, true),
        };
        Some(Element { kind, big_endian })
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// The text of a header, read up to `at`.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Text<'_> {
    /// So many numbers, the others 0, and the white space that ends the last; `None` if there are
    /// not enough bytes.
    fn numbers(&mut self, count: usize) -> Result<Option<[usize; 3]>> {
        let mut numbers = [0; 3];
        for number in numbers.iter_mut().take(count) {
            // What is before the first number ends the kind, what is after each ends that.
            if self.space().is_none() {
                return Ok(None);
            }
            match self.number()? {
                Some(n) => *number = n,
                None => return Ok(None),
            }
        }
        Ok(self.end().map(|()| numbers))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over white space and comments.
    fn space(&mut self) -> Option<()> {
        loop {
            match self.peek()? {
                b'#' => self.comment()?,
                byte if is_space(byte) => self.at += 1,
                _ => return Some(()),
            }
        }
    }

    /// Passes over a comment and the end of its line.
    fn comment(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
        self.at += end + 1;
        Some(())
    }

    /// Passes over the one white space before the values; the end of a comment's line is one.
    fn end(&mut self) -> Option<()> {
        match self.peek()? {
            b'#' => self.comment(),
            _ => {
                self.at += 1;
                Some(())
            }
        }
    }

    /// A number and that white space or a comment follows it, which is not passed over.
    fn number(&mut self) -> Result<Option<usize>> {
        let bad = |what: String| Error::invalid_argument(format!("a PNM whose header has {what}"));
        let (start, mut number) = (self.at, Some(0usize));
        while let Some(byte) = self.peek() {
            match byte {
                b'0'..=b'9' => {
                    let digit = usize::from(byte - b'0');
                    number = number.and_then(|n| n.checked_mul(10)?.checked_add(digit));
                    self.at += 1;
                }
                _ if self.at > start && (is_space(byte) || byte == b'#') => {
                    return match number {
                        Some(n) => Ok(Some(n)),
                        None => Err(bad(
                            "a number of too many digits; the file is damaged".into()
                        )),
                    };
                }
                _ => {
                    return Err(bad(format!(
                        "the byte {:?}; expected width, height and, but for PBM, the greatest value",
                        char::from(byte)
                    )));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Header {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn headers_are_read_with_their_comments() {
        for (text, len, shape, max, samples) in [
            ("P5\n3 2\n255\nabcdef", 11, vec![2, 3], 255, Samples::Bytes),
            (
                "P5 3\t2\r255\n\n\n\n\n\n\n",
                11,
                vec![2, 3],
                255,
                Samples::Bytes,
            ),
            (
                "P6\n# by me\n3 # wide\n2\n65535 #\n",
                28,
                vec![2, 3, 3],
                65535,
                Samples::Words,
            ),
            ("P5#\n3#\n2#\n256#\n..", 15, vec![2, 3], 256, Samples::Words),
            ("P4\n009 1\n12", 9, vec![1, 9], 1, Samples::Bits),
            ("P5\n1 1\n1\n", 9, vec![1, 1], 1, Samples::Bytes),
        ] {
            let expected = Header {
                len,
                shape,
                max,
                samples,
            };
            assert_eq!(header(text), expected, "{text:?}");
            for cut in 0..len {
                assert_eq!(
                    parse(&text.as_bytes()[..cut]).unwrap(),
                    None,
                    "{text:?} {cut}"
                );
            }
            assert!(is_pnm(text.as_bytes()));
        }
    }

    #[test]
    fn other_kinds_and_damage_are_refused() {
        for (text, expected) in [
            ("P2\n1 1\n255\n0", "a PNM of text (P2)"),
            ("P7\nWIDTH 1", "a PAM (P7)"),
            ("PF\n", "no PNM"),
            ("GIF89a", "no PNM"),
            ("P5\n0 1\n255\n", "1 pixels; expected at least one"),
            ("P5\n1 1\n0\n", "greatest value is 0"),
            ("P5\n1 1\n65536\n", "greatest value is 65536"),
            ("P5\n-1 1\n255\n", "the byte '-'"),
            ("P5\n1x 1\n255\n", "the byte 'x'"),
            ("P5x3 1 255\n", "the byte 'x'"),
            ("P5\n16777217 1\n255\n", "the limit is"),
            ("P6\n99999999999 99999999999\n255\n", "the limit is"),
            ("P5\n99999999999999999999 1\n255\n", "too many digits"),
        ] {
            match parse(text.as_bytes()) {
                Err(e) => assert!(e.to_string().contains(expected), "{text:?}: {e}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn headers_have_a_limit() {
        let comment = |len: usize| format!("P5\n#{}\n1 1\n255\n", "x".repeat(len));
        let shortest = comment(0).len();
        let longest = comment(MAX_HEADER - shortest);
        assert_eq!(header(&longest).len, MAX_HEADER);
        assert!(parse(comment(MAX_HEADER + 1 - shortest).as_bytes()).is_err());
    }
}
