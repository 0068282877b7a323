//! Laws of whole tables.

use bbans_core::{ErrorKind, Result};
use bbans_nn::description::{Column, Numbers, Zeros};
use proptest::prelude::*;

use super::dialect::DELIMITERS;
use super::quotes::content;
use super::record::{Record, Splitter};
use super::*;
use crate::bytes::Recorder;

/// The table that a reader gives in calls of `max` rows, written again, with the number of exceptions.
fn restored(text: &[u8], columns: &[Column], max: usize) -> Result<(Vec<u8>, usize)> {
    let mut reader = CsvReader::open(text, columns)?;
    let mut bytes = vec![];
    reader.dialect().write(&mut bytes);
    let dialect = Dialect::read(&mut Recorder::new(&mut &bytes[..]))?;
    assert_eq!(&dialect, reader.dialect());
    let mut out = dialect.header().to_vec();
    let mut exceptions = 0;
    loop {
        let rows = reader.read(max)?;
        if rows.count == 0 {
            break;
        }
        assert!(rows.count <= max && rows.symbols.len() == rows.count * columns.len());
        exceptions += rows.exceptions.len();
        render(&dialect, columns, &rows.symbols, &rows.exceptions, &mut out)?;
    }
    let (cut, rest) = reader.finish();
    assert!(rest.is_empty());
    out.truncate(out.len() - usize::from(cut));
    Ok((out, exceptions))
}

fn column(texts: &[&str], numbers: Option<Numbers>) -> Column {
    Column {
        name: "a".into(),
        texts: texts.iter().map(|text| text.to_string()).collect(),
        numbers,
    }
}

fn tenths() -> Option<Numbers> {
    Some(Numbers {
        lowest: -10,
        step: 5,
        count: 7,
        decimals: 1,
        zeros: Zeros::Cut,
    })
}

#[test]
fn what_the_columns_do_not_have_are_exceptions() {
    let columns = [column(&["x", "y"], None), column(&["NA"], tenths())];
    let text = b"x,1\ny,-0.5\nz,1.0\n\"y\",NA\nx,0.3\nx,2.5";
    let mut reader = CsvReader::open(&text[..], &columns).unwrap();
    let rows = reader.read(10).unwrap();
    assert_eq!(rows.count, 6);
    assert_eq!(rows.symbols, [0, 5, 1, 2, 1, 2, 1, 0, 0, 0, 0, 0]);
    let exceptions = rows.exceptions.iter().map(|e| (e.at, &e.bytes[..]));
    let expected: [(usize, &[u8]); 5] = [
        (4, b"z"),
        (5, b"1.0"),
        (6, b"\"y\""),
        (9, b"0.3"),
        (11, b"2.5"),
    ];
    assert_eq!(exceptions.collect::<Vec<_>>(), expected);
    assert_eq!(reader.finish().0, 1);
    assert_eq!(restored(text, &columns, 4).unwrap().0, text);
}

#[test]
fn tables_of_other_programs_come_back_without_exceptions() {
    let names = ["t", "n"];
    let mut columns = [
        column(&["x", "NA", "say \"y\", z", ""], None),
        column(&["NA", ""], tenths()),
    ];
    columns
        .iter_mut()
        .zip(names)
        .for_each(|(column, name)| column.name = name.into());
    for text in [
        // R: write.csv
        "\"t\",\"n\"\n\"x\",1\nNA,0.5\n\"say \"\"y\"\", z\",NA\n",
        // Python: csv.writer
        "t,n\r\nx,1\r\n\"say \"\"y\"\", z\",-0.5\r\n,\r\n",
        // PostgreSQL: COPY with FORCE_QUOTE
        "\u{feff}t;n\n\"x\";\"1\"\n;\"0.5\"\n\"say \"\"y\"\", z\";",
        "t\tn",
        "x|2\r\nx|2\r",
    ] {
        let (again, exceptions) = restored(text.as_bytes(), &columns, 2).unwrap();
        assert_eq!(String::from_utf8(again).unwrap(), text);
        assert_eq!(exceptions, 0, "{text}");
    }
}

#[test]
fn what_cannot_be_restored_is_refused_with_its_line() {
    let columns = [column(&["x"], None), column(&[], tenths())];
    let many = "x,1\r\n".repeat(1000);
    for (text, said) in [
        ("x,1\n\nx,1\n".to_string(), "line 2"),
        ("x,1\nx,\"1\n\",2\n".to_string(), "line 2"),
        ("x\n".to_string(), "line 1"),
        (format!("{many}x,1\n"), "line 1001"),
        (format!("x,1\nx,\"{}", "y".repeat(MAX_RECORD)), "line 2"),
    ] {
        let e = restored(text.as_bytes(), &columns, 9).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidArgument);
        assert!(e.to_string().contains(said), "{e}");
    }
    assert!(CsvReader::open(&b""[..], &[]).is_err());
    let wide = vec![column(&["x"], None); MAX_COLUMNS + 1];
    assert!(CsvReader::open(&b""[..], &wide).is_err());
}

#[test]
fn long_records_end_a_call_early() {
    let columns = [column(&["x"], None)];
    let text = format!("{}\n", "y".repeat(MAX_RECORD - 1)).repeat(66);
    let mut reader = CsvReader::open(text.as_bytes(), &columns).unwrap();
    assert_eq!(reader.read(1000).unwrap().count, 64);
    assert_eq!(reader.read(1000).unwrap().count, 2);
    assert_eq!(reader.read(1000).unwrap().count, 0);
}

#[test]
fn damage_is_found() {
    let columns = [column(&["x"], None), column(&[], tenths())];
    let reader = CsvReader::open(&b"x,1\n"[..], &columns).unwrap();
    let dialect = reader.dialect();
    let exception = |at| Exception {
        at,
        bytes: vec![b'z'; 3],
    };
    let long = Exception {
        at: 0,
        bytes: vec![0; MAX_RECORD + 3],
    };
    for (symbols, exceptions) in [
        (&[0u16, 0, 0][..], vec![]),
        (&[1, 0], vec![]),
        (&[0, 7], vec![]),
        (&[0, 0], vec![exception(2)]),
        (&[0, 0], vec![exception(1), exception(0)]),
        (&[0, 0], vec![exception(0), exception(0)]),
        (&[0, 0], vec![long]),
    ] {
        let e = render(dialect, &columns, symbols, &exceptions, &mut vec![]);
        assert_eq!(e.unwrap_err().kind(), ErrorKind::Corruption, "{symbols:?}");
    }
    let e = render(dialect, &columns[..1], &[0], &[], &mut vec![]);
    assert_eq!(e.unwrap_err().kind(), ErrorKind::Corruption);
    let mut out = b"before ".to_vec();
    render(dialect, &columns, &[0, 6, 9, 0], &[exception(2)], &mut out).unwrap();
    assert_eq!(out, b"before x,2\nzzz,-1\n");
}

/// Texts that make up cells, and so are often quotes, delimiters and line ends.
fn any_text() -> impl Strategy<Value = String> {
    let odd = "[ab,;\"\r\n|\t0]{0,4}";
    prop_oneof![
        Just("NA".into()),
        Just(String::new()),
        Just("x".into()),
        odd,
        "[a-z]{1,3}"
    ]
}

fn any_columns() -> impl Strategy<Value = Vec<Column>> {
    let zeros = prop_oneof![Just(Zeros::Kept), Just(Zeros::Cut), Just(Zeros::One)];
    let numbers = (-30..30i64, 0..4u32, 0..50usize, 0..3u8, zeros).prop_map(
        |(lowest, step, count, decimals, zeros)| Numbers {
            lowest,
            step,
            count,
            decimals,
            zeros,
        },
    );
    let column = (
        any_text(),
        prop::collection::vec(any_text(), 0..4),
        prop::option::of(numbers),
    );
    let column = column.prop_map(|(name, texts, numbers)| Column {
        name,
        texts,
        numbers,
    });
    prop::collection::vec(column, 1..4)
}

/// A cell as any program may write it.
fn any_cell() -> impl Strategy<Value = Vec<u8>> {
    let written = (any_text(), 0..Quotes::ALL.len()).prop_map(|(text, quotes)| {
        let mut raw = vec![];
        Quotes::ALL[quotes].write(text.as_bytes(), b',', &mut raw);
        raw
    });
    let number = "\"?-?[0-9]{1,2}(\\.[0-9]{1,2})?\"?".prop_map(String::into_bytes);
    prop_oneof![written, number]
}

/// A table of `width` columns, now and then with a header that is given.
fn any_table(columns: &[Column]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let header: Vec<Vec<u8>> = columns
        .iter()
        .map(|column| {
            let mut raw = vec![];
            Quotes::Needed.write(column.name.as_bytes(), b',', &mut raw);
            raw
        })
        .collect();
    let row = prop::collection::vec(any_cell(), columns.len());
    let rows = prop::collection::vec(row, 0..12);
    let (delimiter, end) = (0..DELIMITERS.len(), prop_oneof![Just("\n"), Just("\r\n")]);
    (rows, delimiter, end, any::<[bool; 2]>(), 0..3usize).prop_map(
        move |(mut rows, delimiter, end, [mark, named], cut)| {
            if named {
                rows.insert(0, header.clone());
            }
            let mut text = if mark {
                BYTE_ORDER_MARK.to_vec()
            } else {
                vec![]
            };
            for row in rows {
                text.extend(row.join(&DELIMITERS[delimiter]));
                text.extend(end.bytes());
            }
            text.truncate(text.len().saturating_sub(cut));
            text
        },
    )
}

/// Whatever is not read is refused for what it is.
fn check_law(
    text: &[u8],
    columns: &[Column],
    max: usize,
) -> std::result::Result<bool, TestCaseError> {
    match restored(text, columns, max) {
        Ok((again, _)) => {
            prop_assert_eq!(again, text);
            Ok(true)
        }
        Err(e) => {
            prop_assert_eq!(e.kind(), ErrorKind::InvalidArgument);
            Ok(false)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn tables_come_back_to_the_byte(
        (columns, text) in any_columns().prop_flat_map(|c| (any_table(&c), Just(c)).prop_map(|(t, c)| (c, t))),
        max in 1..9usize,
    ) {
        check_law(&text, &columns, max)?;
    }

    #[test]
    fn bytes_of_any_kind_come_back_or_are_refused(
        columns in any_columns(),
        text in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "[x0.,;\"\r\n]{0,40}".prop_map(String::into_bytes),
            "([x01\"\r]?,[x01\"\r]?\n){0,20}".prop_map(String::into_bytes),
        ],
        max in 1..9usize,
    ) {
        check_law(&text, &columns, max)?;
    }

    #[test]
    fn inferred_columns_read_their_table(text in any_columns().prop_flat_map(|c| any_table(&c))) {
        if let Ok(columns) = infer(&text[..], &InferOptions::default()) {
            prop_assert!(columns.iter().all(|column| column.levels() > 0));
            check_law(&text, &columns, 5)?;
        }
    }

    #[test]
    fn symbols_of_any_kind_are_rows_or_damage(
        columns in any_columns(),
        symbols in prop::collection::vec(0..20u16, 0..12),
        exceptions in prop::collection::vec((0..12usize, any::<Vec<u8>>()), 0..4),
    ) {
        let reader = CsvReader::open(&b""[..], &columns).unwrap();
        let exceptions: Vec<_> = exceptions.into_iter().map(|(at, bytes)| Exception { at, bytes }).collect();
        if let Err(e) = render(reader.dialect(), &columns, &symbols, &exceptions, &mut vec![]) {
            prop_assert_eq!(e.kind(), ErrorKind::Corruption);
        }
    }

    #[test]
    fn records_split_as_the_csv_crate_splits_them(
        text in "([ab\"]|\"[ab,\n\"]{0,3}\"|,|\n){0,30}",
    ) {
        let mut theirs = ::csv::ReaderBuilder::new();
        theirs.has_headers(false).flexible(true).terminator(::csv::Terminator::Any(b'\n'));
        let mut theirs = theirs.from_reader(text.as_bytes());
        let mut theirs = theirs.byte_records();
        let mut ours = Splitter::new(text.as_bytes(), b',', 0);
        let mut record = Record::default();
        while ours.next(&mut record).unwrap() {
            // The crate skips empty lines.
            if record.bytes() == b"\n" {
                continue;
            }
            let other = theirs.next().unwrap().unwrap();
            prop_assert_eq!(record.len(), other.len());
            for (raw, other) in record.fields().zip(&other) {
                prop_assert!(content(raw).is_none_or(|content| content == other));
            }
        }
        prop_assert!(theirs.next().is_none());
    }
}
