//! Cells and their symbols.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bbans_nn::description::{Column, Numbers};

use super::decimal;
use super::dialect::{CellQuotes, Dialect};
use super::quotes::Quotes;

/// The symbols of one column's cells, by their raw bytes.
pub(super) struct Cells {
    /// Texts as the file has them.
    texts: HashMap<Vec<u8>, u16>,
    numbers: Option<Numbers>,
    /// The symbol of the first number.
    first_number: usize,
    /// Whether numbers have quotes.
    quoted: bool,
}

impl Cells {
    pub(super) fn new(column: &Column, quotes: CellQuotes, delimiter: u8) -> Self {
        let mut texts = HashMap::new();
        for (text, symbol) in column.texts.iter().zip(0..=u16::MAX) {
            let mut raw = Vec::with_capacity(text.len() + 2);
            quotes.texts.write(text.as_bytes(), delimiter, &mut raw);
            if let Entry::Vacant(entry) = texts.entry(raw) {
                entry.insert(symbol);
            }
        }
        Self {
            texts,
            numbers: column.numbers,
            first_number: column.texts.len(),
            quoted: are_quoted(quotes.numbers),
        }
    }

    /// The symbol that stands for exactly this cell.
    pub(super) fn symbol(&self, raw: &[u8]) -> Option<u16> {
        if let Some(&symbol) = self.texts.get(raw) {
            return Some(symbol);
        }
        let content = match self.quoted {
            true => raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?,
            false => raw,
        };
        let index = decimal::index(self.numbers.as_ref()?, content)?;
        u16::try_from(self.first_number.checked_add(index)?).ok()
    }
}

/// Appends the cell that a symbol stands for; `None` if the column has no such symbol.
pub(super) fn write(
    column: &Column,
    quotes: CellQuotes,
    dialect: &Dialect,
    symbol: u16,
    out: &mut Vec<u8>,
) -> Option<()> {
    let symbol = usize::from(symbol);
    if let Some(text) = column.texts.get(symbol) {
        quotes.texts.write(text.as_bytes(), dialect.delimiter, out);
        return Some(());
    }
    let index = symbol.checked_sub(column.texts.len())?;
    let quote = are_quoted(quotes.numbers).then_some(b'"');
    out.extend(quote);
    decimal::write(column.numbers.as_ref()?, index, out)?;
    out.extend(quote);
    Some(())
}

/// No number is empty, is NA or has anything in it that needs quotes, so that all have them or none.
fn are_quoted(quotes: Quotes) -> bool {
    quotes.enclose(b"0", b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_nn::description::Zeros;

    fn column() -> Column {
        Column {
            name: "a".into(),
            texts: ["NA", "5", "a,b"].map(String::from).to_vec(),
            numbers: Some(Numbers {
                lowest: 4,
                step: 1,
                count: 3,
                decimals: 0,
                zeros: Zeros::Kept,
            }),
        }
    }

    #[test]
    fn a_text_comes_before_the_same_number() {
        let quotes = CellQuotes {
            texts: Quotes::Needed,
            numbers: Quotes::Needed,
        };
        let cells = Cells::new(&column(), quotes, b',');
        for (raw, symbol) in [
            ("NA", Some(0)),
            ("5", Some(1)),
            ("\"a,b\"", Some(2)),
            ("4", Some(3)),
            ("6", Some(5)),
            ("7", None),
            ("\"4\"", None),
            ("\"NA\"", None),
            ("", None),
        ] {
            assert_eq!(cells.symbol(raw.as_bytes()), symbol, "{raw}");
        }
    }

    #[test]
    fn texts_and_numbers_have_quotes_of_their_own() {
        let quotes = CellQuotes {
            texts: Quotes::ButNa,
            numbers: Quotes::Never,
        };
        let cells = Cells::new(&column(), quotes, b',');
        assert_eq!(cells.symbol(b"NA"), Some(0));
        assert_eq!(cells.symbol(b"\"5\""), Some(1));
        assert_eq!(cells.symbol(b"5"), Some(4));
    }
}
