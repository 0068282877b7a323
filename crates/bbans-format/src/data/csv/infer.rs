//! Finding the columns of a table.

use std::cmp::Reverse;
use std::io::BufRead;

use bbans_core::{Error, Result};
use bbans_nn::description::{Column, MAX_SYMBOLS, Numbers};

use super::MAX_COLUMNS;
use super::decimal::{self, Decimal};
use super::detect::Head;
use super::quotes::content;
use super::record::{Record, Splitter, other_fields};
use super::tally::Tally;

/// One cell of so many may be one that the column does not have: it costs more, but takes part in no model.
const RARE: u64 = 100;

/// What a table's columns may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferOptions {
    /// Whether the first line holds the names of the columns; told from the cells if `None`.
    pub header: Option<bool>,
    /// Most different texts of a column.
    pub max_texts: usize,
    /// Most bytes of them together.
    pub max_text_bytes: usize,
    /// Most different texts of a column of numbers.
    pub max_other_texts: usize,
}

impl Default for InferOptions {
    fn default() -> Self {
        Self {
            header: None,
            max_texts: 4096,
            max_text_bytes: 1 << 20,
            max_other_texts: 16,
        }
    }
}

/// Finds the columns of a table in one pass: numbers where nearly all cells are evenly spaced numbers of one style,
/// from the least to the greatest; otherwise all the texts, the most frequent first.
///
/// Memory is bounded by the texts that [`InferOptions`] allows for each column.
///
/// # Errors
/// [`bbans_core::ErrorKind::InvalidArgument`] if the table has no rows, its lines have different numbers of fields, or
/// a column has too many different values.
pub fn infer(mut stream: impl BufRead, options: &InferOptions) -> Result<Vec<Column>> {
    let head = Head::read(&mut stream)?;
    let (delimiter, mark) = (head.delimiter(), head.mark());
    let mut records = Splitter::new(head.before(stream, mark), delimiter, 0);
    let mut first = Record::default();
    if !records.next(&mut first)? {
        return Err(Error::invalid_argument(
            "an empty table; expected a line for each datum",
        ));
    }
    let mut tallies = tally_rest(&mut records, &mut first, options)?;
    let header = options
        .header
        .unwrap_or_else(|| is_header(&first, &tallies));
    if !header {
        add(&mut tallies, &first);
    } else if tallies.iter().any(|tally| tally.cells == 0) {
        return Err(Error::invalid_argument(
            "a table with nothing after its header; expected a line for each datum",
        ));
    }
    let names = first.fields().zip(1..).map(|(raw, number)| match header {
        true => String::from_utf8_lossy(&content_or_raw(raw)).into_owned(),
        false => i32::to_string(&number),
    });
    let columns = names.zip(&tallies).zip(1..);
    let columns = columns.map(|((name, tally), number)| column(name, number, tally, options));
    columns.collect()
}

/// The cells of all records but the first.
fn tally_rest(
    records: &mut Splitter<impl BufRead>,
    first: &mut Record,
    options: &InferOptions,
) -> Result<Vec<Tally>> {
    let crlf = first.is_crlf() && first.cut_return();
    if first.len() > MAX_COLUMNS {
        return Err(Error::invalid_argument(format!(
            "a table of {} columns; the limit is {MAX_COLUMNS}",
            first.len()
        )));
    }
    let tally = Tally::new(options.max_texts.min(MAX_SYMBOLS), options.max_text_bytes);
    let mut tallies = vec![tally; first.len()];
    let mut record = Record::default();
    while records.next(&mut record)? {
        if crlf {
            record.cut_return();
        }
        if record.len() != tallies.len() {
            return Err(other_fields(&record, tallies.len()));
        }
        add(&mut tallies, &record);
    }
    Ok(tallies)
}

fn add(tallies: &mut [Tally], record: &Record) {
    let pairs = tallies.iter_mut().zip(record.fields());
    pairs.for_each(|(tally, raw)| tally.add(&content_or_raw(raw)));
}

fn content_or_raw(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    content(raw).unwrap_or(raw.into())
}

/// Whether the first record holds names: no number, and something else than the cells below it.
fn is_header(first: &Record, rest: &[Tally]) -> bool {
    if rest.iter().any(|tally| tally.cells == 0) {
        return false;
    }
    let cells: Vec<_> = first.fields().map(content_or_raw).collect();
    if cells.iter().any(|cell| Decimal::parse(cell).is_some()) {
        return false;
    }
    let mut pairs = cells.iter().zip(rest);
    if rest.iter().any(Tally::is_numeric) {
        return pairs.any(|(cell, tally)| tally.is_numeric() && !tally.has(cell));
    }
    let mut sorted: Vec<_> = cells.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1]) && pairs.all(|(cell, tally)| !tally.has(cell))
}

fn column(name: String, number: usize, tally: &Tally, options: &InferOptions) -> Result<Column> {
    let as_texts = || Some((texts(tally, options)?, None));
    let as_numbers = || numbers(tally, options).map(|(texts, numbers)| (texts, Some(numbers)));
    let found = match tally.is_numeric() {
        // Codes look like numbers, but a code that is between two others is none.
        true if tally.codes => as_texts().or_else(as_numbers),
        true => as_numbers().or_else(as_texts),
        false => as_texts(),
    };
    let (texts, numbers) = found.ok_or_else(|| no_column(&name, number, tally, options))?;
    Ok(Column {
        name,
        texts,
        numbers,
    })
}

/// The texts, the most frequent first, of those that are there and can be in a model; with the cells that hold them.
fn by_frequency<'a>(
    found: impl Iterator<Item = (&'a [u8], u64)>,
    most: usize,
) -> (Vec<String>, u64) {
    let found = found.filter_map(|(text, count)| Some((str::from_utf8(text).ok()?, count)));
    let mut found: Vec<_> = found.collect();
    found.sort_unstable_by_key(|&(text, count)| (Reverse(count), text));
    found.truncate(most);
    let cells = found.iter().map(|(_, count)| count).sum();
    (found.iter().map(|&(text, _)| text.into()).collect(), cells)
}

fn is_rare(others: u64, tally: &Tally) -> bool {
    others.saturating_mul(RARE) <= tally.cells
}

fn texts(tally: &Tally, options: &InferOptions) -> Option<Vec<String>> {
    if tally.texts.full_at.or(tally.numbers.full_at).is_some() {
        return None;
    }
    let (texts, cells) = by_frequency(tally.texts.iter().chain(tally.numbers.iter()), MAX_SYMBOLS);
    let bytes: usize = texts.iter().map(String::len).sum();
    let few = texts.len() <= options.max_texts && bytes <= options.max_text_bytes;
    let most_known = is_rare(tally.cells.saturating_sub(cells), tally);
    (few && most_known && !texts.is_empty()).then_some(texts)
}

/// The numbers of the style that most cells have, of those with few enough levels, and what else there is.
fn numbers(tally: &Tally, options: &InferOptions) -> Option<(Vec<String>, Numbers)> {
    tally
        .styles()
        .into_iter()
        .find_map(|(cells, decimals, zeros)| {
            if !is_rare(tally.cells.saturating_sub(cells + tally.texts.cells), tally) {
                return None;
            }
            let numbers = tally.levels(decimals, zeros)?;
            let others = tally
                .numbers
                .iter()
                .filter(|(text, _)| decimal::index(&numbers, text).is_none());
            let others = tally.texts.iter().chain(others);
            let (texts, cells_of_texts) = by_frequency(others, options.max_other_texts);
            let unknown = tally.cells.saturating_sub(cells + cells_of_texts);
            let few = numbers.count.saturating_add(texts.len()) <= MAX_SYMBOLS;
            (few && is_rare(unknown, tally)).then_some((texts, numbers))
        })
}

fn no_column(name: &str, number: usize, tally: &Tally, options: &InferOptions) -> Error {
    let most = options.max_texts.min(MAX_SYMBOLS);
    let column = format!("column {number} ({name:?})");
    let full_at = [&tally.texts, &tally.numbers].map(|d| d.full_at.unwrap_or(u64::MAX));
    Error::invalid_argument(match (tally.is_numeric(), full_at.into_iter().min()) {
        (true, _) => format!(
            "{column} has numbers that no {MAX_SYMBOLS} even steps reach, and more than {most} different ones; \
             expected fewer: round them, or leave the column out"
        ),
        (false, Some(row)) if row < u64::MAX => format!(
            "{column} has more than {most} different texts, or {} bytes of them (in the first {row} rows); expected \
             categories or numbers: leave the column out",
            options.max_text_bytes
        ),
        _ => format!(
            "{column} has texts that are not UTF-8, or numbers and texts of more than {most} kinds or {} bytes; \
             expected categories or numbers in UTF-8: convert the table, or leave the column out",
            options.max_text_bytes
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bbans_nn::description::Zeros;

    fn infer_all(text: impl AsRef<[u8]>) -> Result<Vec<Column>> {
        infer(text.as_ref(), &InferOptions::default())
    }

    fn names(text: &str) -> Vec<String> {
        let columns = infer_all(text).unwrap().into_iter();
        columns.map(|column| column.name).collect()
    }

    #[test]
    fn numbers_texts_and_both_are_told_apart() {
        let text = "n,t,m,c\n1.5,b,NA,007\n2,a,10,12\n2.25,b,30,13\n1.75,b,20,14\n";
        let [n, t, m, c] = infer_all(text).unwrap().try_into().unwrap();
        let numbers = |lowest, step, count, decimals, zeros| {
            Some(Numbers {
                lowest,
                step,
                count,
                decimals,
                zeros,
            })
        };
        assert_eq!((n.name.as_str(), n.texts.len()), ("n", 0));
        assert_eq!(n.numbers, numbers(150, 25, 4, 2, Zeros::Cut));
        assert_eq!((t.texts, t.numbers), (vec!["b".into(), "a".into()], None));
        assert_eq!(m.texts, ["NA"]);
        assert_eq!(m.numbers, numbers(10, 10, 3, 0, Zeros::Kept));
        assert_eq!(c.texts, ["007", "12", "13", "14"]);
    }

    #[test]
    fn headers_are_told_from_data() {
        assert_eq!(names("a,b\nx,1\ny,2\n"), ["a", "b"]);
        assert_eq!(names("x,3\nx,1\ny,2\n"), ["1", "2"]);
        assert_eq!(names("a;b\nx;y\nx;z\n"), ["a", "b"]);
        assert_eq!(names("x;y\nx;y\nx;z\n"), ["1", "2"]);
        assert_eq!(names("a;a\nx;y\nx;z\n"), ["1", "2"]);
        assert_eq!(names("x,NA\nx,1\ny,NA\nz,3\nx,4\n"), ["1", "2"]);
        assert_eq!(names("\u{feff}\"a\",\"b\"\r\n1,2\r\n"), ["a", "b"]);
        assert_eq!(names("a,b\n"), ["1", "2"]);
        let header = InferOptions {
            header: Some(true),
            ..InferOptions::default()
        };
        let columns = infer(&b"1,2\n3,4\n"[..], &header).unwrap();
        assert_eq!((columns[0].name.as_str(), columns[1].levels()), ("1", 1));
        assert!(infer(&b"1,2\n"[..], &header).is_err());
    }

    #[test]
    fn few_other_numbers_are_left_out() {
        let mut text = String::from("n\n");
        (0..6000).for_each(|i| text += &format!("{i}\n"));
        text += "1.0\n0.300000000000001\n0.30000000000000004\n";
        let columns = infer_all(&text).unwrap();
        assert_eq!(columns[0].texts, ["0.30000000000000004"]);
        assert_eq!(columns[0].levels(), 6001);
    }

    #[test]
    fn wide_numbers_are_texts_if_they_are_few() {
        let columns = infer_all("n\n0\n1000000\n3\n3\n").unwrap();
        assert_eq!(columns[0].texts, ["3", "0", "1000000"]);
        assert_eq!(columns[0].numbers, None);
    }

    #[test]
    fn columns_of_too_many_values_are_named() {
        let mut text = String::from("id,n,w\n");
        (0..5000).for_each(|i| text += &format!("x{i},{i},{}\n", i * i));
        let e = infer_all(&text).unwrap_err().to_string();
        assert!(
            e.contains("column 1 (\"id\")") && e.contains("the first 4097 rows"),
            "{e}"
        );
        let text = text.replace('x', "");
        let e = infer_all(text).unwrap_err().to_string();
        assert!(e.contains("column 3 (\"w\")") && e.contains("65536"), "{e}");
        let e = infer_all(b"a\n\xff\n\xff\n").unwrap_err().to_string();
        assert!(e.contains("not UTF-8"), "{e}");
    }

    #[test]
    fn lines_of_other_lengths_and_empty_tables_are_refused() {
        let e = infer_all("a,b\n1,2\n\n3,4\n").unwrap_err().to_string();
        assert!(e.contains("line 3") && e.contains("empty"), "{e}");
        let e = infer_all("a,b\n1,2\n3\n").unwrap_err().to_string();
        assert!(e.contains("found 1 field, expected 2"), "{e}");
        assert!(infer_all("").is_err());
        let wide = ",".repeat(MAX_COLUMNS);
        assert!(infer_all(wide).is_err());
    }
}
