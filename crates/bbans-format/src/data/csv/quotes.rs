//! Quotes around cells.

use std::borrow::Cow;

/// Which cells of a column have quotes around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Those that would be read otherwise without: a delimiter, a quote or a line's end is in them.
    Needed,
    /// All.
    Always,
    /// All but those that hold NA, as R has it.
    ButNa,
    /// All but empty ones, as databases write what is not there.
    ButEmpty,
    /// None.
    Never,
}

impl Quotes {
    /// All kinds, from the one to be preferred on.
    pub(super) const ALL: [Self; 5] = [
        Self::Needed,
        Self::Always,
        Self::ButNa,
        Self::ButEmpty,
        Self::Never,
    ];

    /// Whether a cell of this content has quotes.
    pub(super) fn enclose(self, content: &[u8], delimiter: u8) -> bool {
        match self {
            Self::Needed => content
                .iter()
                .any(|&b| b == delimiter || matches!(b, b'"' | b'\r' | b'\n')),
            Self::Always => true,
            Self::ButNa => content != b"NA",
            Self::ButEmpty => !content.is_empty(),
            Self::Never => false,
        }
    }

    /// Appends the cell of this content.
    pub(super) fn write(self, content: &[u8], delimiter: u8, out: &mut Vec<u8>) {
        if !self.enclose(content, delimiter) {
            out.extend(content);
            return;
        }
        out.push(b'"');
        for part in content.split_inclusive(|&b| b == b'"') {
            out.extend(part);
            out.extend(part.ends_with(b"\"").then_some(b'"'));
        }
        out.push(b'"');
    }
}

/// What stands in a cell; `None` where text follows a closing quote, or none closes.
pub(super) fn content(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(inner) = raw.strip_prefix(b"\"") else {
        return Some(raw.into());
    };
    let inner = inner.strip_suffix(b"\"")?;
    if !inner.contains(&b'"') {
        return Some(inner.into());
    }
    let mut content = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        if byte == b'"' && bytes.next() != Some(&b'"') {
            return None;
        }
        content.push(byte);
    }
    Some(content.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_its_content() {
        for text in ["", "a", "NA", "a\"b", "\"", "\"\"", "a,b", "a\nb", " "] {
            for quotes in Quotes::ALL {
                let mut raw = vec![];
                quotes.write(text.as_bytes(), b',', &mut raw);
                if quotes != Quotes::Never || !text.starts_with('"') {
                    assert_eq!(content(&raw).unwrap(), text.as_bytes(), "{quotes:?}");
                }
            }
        }
        let mut raw = vec![];
        Quotes::Needed.write(b"a\"b", b',', &mut raw);
        assert_eq!(raw, b"\"a\"\"b\"");
    }

    #[test]
    fn quotes_that_do_not_enclose_the_cell_have_no_content() {
        for raw in ["\"", "\"a", "\"a\"b", "\"a\"b\"", "\"\"\""] {
            assert_eq!(content(raw.as_bytes()), None, "{raw}");
        }
        assert_eq!(content(b"5\"").unwrap(), &b"5\""[..]);
    }
}
