//! A table of text as columns of types, and back.

use std::fmt::Write;

use crate::support::rows::DataSet;

/// A table whose text is its columns' again, to the byte.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Table {
    /// What the first line says.
    pub(in super::super) names: Vec<String>,
    pub(in super::super) columns: Vec<Column>,
    /// Between cells.
    separator: char,
    /// Whether the last line ends.
    ends: bool,
}

/// A column; a cell without a value is `None`.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Column {
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

impl Column {
    fn of(cells: &[&str]) -> Self {
        if let Some(integers) = typed(cells) {
            Self::Integers(integers)
        } else if let Some(numbers) = typed(cells) {
            Self::Numbers(numbers)
        } else {
            let text = |c: &&str| (!c.is_empty()).then(|| (*c).to_owned());
            Self::Texts(cells.iter().map(text).collect())
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(cells) => cells.len(),
            Self::Numbers(cells) => cells.len(),
            Self::Texts(cells) => cells.len(),
        }
    }

    /// Whether every cell has a value.
    pub(in super::super) fn is_full(&self) -> bool {
        match self {
            Self::Integers(cells) => cells.iter().all(Option::is_some),
            Self::Numbers(cells) => cells.iter().all(Option::is_some),
            Self::Texts(cells) => cells.iter().all(Option::is_some),
        }
    }

    fn write(&self, row: usize, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::Integers(cells) => cells[row].map_or(Ok(()), |v| write!(text, "{v}")),
            Self::Numbers(cells) => cells[row].map_or(Ok(()), |v| write!(text, "{v}")),
            Self::Texts(cells) => cells[row].as_ref().map_or(Ok(()), |v| text.write_str(v)),
        };
    }
}

/// Cells as values of a type whose text is theirs.
fn typed<T: std::str::FromStr + ToString>(cells: &[&str]) -> Option<Vec<Option<T>>> {
    let one = |cell: &&str| match *cell {
        "" => Some(None),
        cell => {
            let value = cell.parse::<T>().ok()?;
            (value.to_string() == cell).then_some(Some(value))
        }
    };
    cells.iter().map(one).collect()
}

impl Table {
    /// The table of a text; `None` if it is none whose text can be written again.
    pub(in super::super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let ends = text.ends_with('\n');
        let body = text.strip_suffix('\n').unwrap_or(text);
        let first = body.lines().next()?;
        let separator = [',', ';', '\t']
            .into_iter()
            .max_by_key(|&s| first.matches(s).count())?;
        let mut rows = split(body, '\n').map(|line| split(line, separator));
        let names: Vec<String> = rows.next()?.map(str::to_owned).collect();
        let mut columns: Vec<Vec<&str>> = vec![Vec::new(); names.len()];
        for mut row in rows {
            for column in &mut columns {
                column.push(row.next()?);
            }
        }
        let table = Self {
            names,
            columns: columns.iter().map(|cells| Column::of(cells)).collect(),
            separator,
            ends,
        };
        (table.columns.first()?.len() > 0 && table.to_text() == text).then_some(table)
    }

    /// The text of the table.
    pub(in super::super) fn to_text(&self) -> String {
        let mut separator = [0; 4];
        let separator: &str = self.separator.encode_utf8(&mut separator);
        let mut text = self.names.join(separator);
        for row in 0..self.columns.first().map_or(0, Column::len) {
            text.push('\n');
            for (i, column) in self.columns.iter().enumerate() {
                if i > 0 {
                    text.push(self.separator);
                }
                column.write(row, &mut text);
            }
        }
        if self.ends {
            text.push('\n');
        }
        text
    }
}

/// The parts between separators that stand in no quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

/// Data of shape `[columns]` as the text of a table.
pub(super) fn text(data: &DataSet) -> Vec<u8> {
    let names: Vec<String> = (0..data.dims()).map(|i| i.to_string()).collect();
    let mut text = names.join(",");
    for row in data.symbols.chunks_exact(data.dims()) {
        let cells: Vec<String> = row.iter().map(u16::to_string).collect();
        text += "\n";
        text += &cells.join(",");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_types_and_keeps_its_text() {
        let text = "a,b,\"c,d\",e\n1,0.5,\"x, \"\"y\"\"\nz\",\n-7,55,,2\n,,\"\",010\n";
        let table = Table::parse(text.as_bytes()).unwrap();
        assert_eq!(table.names, ["a", "b", "\"c,d\"", "e"]);
        assert_eq!(
            table.columns[0],
            Column::Integers(vec![Some(1), Some(-7), None])
        );
        assert_eq!(
            table.columns[1],
            Column::Numbers(vec![Some(0.5), Some(55.0), None])
        );
        assert!(matches!(&table.columns[2], Column::Texts(t) if t[1].is_none()));
        // A zero in front would be lost in a number.
        assert!(matches!(&table.columns[3], Column::Texts(_)));
        assert_eq!(table.to_text(), text);
    }

    #[test]
    fn what_cannot_be_written_again_is_no_table() {
        for text in ["", "a,b", "a,b\n", "a,b\n1\n", "a,b\n1,2,3\n"] {
            assert_eq!(Table::parse(text.as_bytes()), None, "{text:?}");
        }
        for text in ["a;b\r\n1;2\r\n", "a\tb\n1\t2", "a\n1\n2\n"] {
            assert!(Table::parse(text.as_bytes()).is_some(), "{text:?}");
        }
    }
}
