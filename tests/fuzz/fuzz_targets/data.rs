//! After a byte that selects how it is read, any bytes as a data file: refused, or read to the end, restored to the
//! same, and coded by a model that it fits.
#![no_main]

use std::io::Cursor;

use bbans::data::{Element, End, Layout};
use bbans::nn::description::{Column, GreenFirst, Step, Values};
use bbans::{DataReader, DataWriter, FileModel, LatentModel, Result, Rows, Source, VaeModel};
use bbans_fuzz::{MODELS, Memory, PICTURES, SIGNALS, TABLES};
use bbans_fuzz::{decode, decode_range, encode, options, unsummed};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["x.png", "x.csv", "x.tsv.gz", "x.npy"];
const ELEMENTS: [&str; 18] = [
    "bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "u16be", "i16be",
    "u32be", "i32be", "u64be", "i64be", "f64be",
];
const SHAPES: [&[usize]; 5] = [&[1], &[7], &[3, 4, 3], &[2, 1, 4], &[6, 5]];
/// From so many dimensions on one binding is enough.
const LARGE: usize = 1 << 14;

/// A data file, and how it is read.
struct File<'a> {
    bytes: &'a [u8],
    name: &'static str,
    /// Shape and type, of values without a header.
    raw: Option<(Vec<usize>, Element)>,
}

impl File<'_> {
    fn with<'b>(&self, bytes: &'b [u8]) -> File<'b> {
        let (name, raw) = (self.name, self.raw.clone());
        File { bytes, name, raw }
    }

    fn open(&self) -> Result<DataReader> {
        let bytes = Cursor::new(self.bytes.to_vec());
        match &self.raw {
            Some((shape, element)) => DataReader::raw(bytes, shape.clone(), *element),
            None => DataReader::open(bytes, self.name),
        }
    }

    /// Its data as symbols of these values, of `levels` of them.
    fn read(&self, values: &Values, levels: usize, shape: &[usize]) -> Result<Read> {
        let mut reader = self.open()?;
        reader.bind(values, levels)?;
        reader.fit(shape)?;
        let element = reader.element();
        let dims = reader.source().dims().unwrap();
        let mut all = Rows::default();
        loop {
            let max = 1 + all.count % 5;
            let mut rows = reader.read(max)?;
            assert!(rows.count <= max && rows.symbols.len() == rows.count * dims);
            if rows.count == 0 {
                break;
            }
            let before = all.symbols.len();
            rows.exceptions.iter_mut().for_each(|e| e.at += before);
            all.count += rows.count;
            all.symbols.extend(rows.symbols);
            all.exceptions.extend(rows.exceptions);
        }
        let places = all.exceptions.iter().map(|e| e.at);
        assert!(places.clone().is_sorted_by(|a, b| a < b));
        assert!(places.last().is_none_or(|last| last < all.symbols.len()));
        let table = matches!(values, Values::Columns(_));
        let sized = all
            .exceptions
            .iter()
            .all(|e| e.bytes.len() == element.size());
        assert!(sized || table);
        Ok(Read {
            source: reader.source().clone(),
            rows: all,
            end: reader.finish(),
        })
    }

    /// What is read is restored.
    fn comes_back(&self, values: &Values, levels: usize, shape: &[usize]) -> Option<Vec<u8>> {
        let read = self.read(values, levels, shape).ok()?;
        let restored = read.restored(values);
        if matches!(read.source.layout, Layout::Png(_)) {
            // The pixels are the same; the file is another.
            let again = self.with(&restored).read(values, levels, shape).unwrap();
            assert_eq!(unsummed(again.source.clone()), unsummed(read.source));
            assert_eq!((&again.rows, &again.end), (&read.rows, &read.end));
            assert_eq!(again.restored(values), restored);
        } else if !self.bytes.starts_with(&[0x1f, 0x8b]) {
            assert!(restored == self.bytes);
        }
        Some(restored)
    }
}

/// What was read of a file.
struct Read {
    source: Source,
    rows: Rows,
    end: End,
}

impl Read {
    fn restored(&self, values: &Values) -> Vec<u8> {
        let memory = Memory::default();
        let dims = self.source.dims().unwrap();
        let mut writer =
            DataWriter::new(self.source.clone(), dims, values, memory.target()).unwrap();
        if self.rows.count > 0 {
            writer.write(&self.rows, 1).unwrap();
        }
        assert_eq!(writer.finish(self.end.cut).unwrap(), self.end.digest);
        memory.bytes()
    }
}

impl Read {
    /// The data of a file of the same source, and what is before them, in an order of their own.
    fn unordered(&self, mut file: Vec<u8>) -> Vec<Vec<u8>> {
        let mut data: Vec<Vec<u8>> = match &self.source.layout {
            Layout::Array(array) if !array.fortran => {
                let values = file.split_off(array.prefix.len());
                let each = self.source.dims().unwrap() * array.element.size();
                let data = values.chunks(each).map(<[u8]>::to_vec);
                data.chain([file]).collect()
            }
            Layout::Array(_) => file.into_iter().map(|b| vec![b]).collect(),
            // The last line may have lost some of its end.
            _ => {
                let lines = file.split(|&b| b == b'\n').map(<[u8]>::trim_ascii_end);
                let lines = lines.filter(|line| !line.is_empty());
                lines.map(<[u8]>::to_vec).collect()
            }
        };
        data.sort();
        data
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&selector, mut bytes)) = input.split_first() else {
        return;
    };
    let mut raw = None;
    if selector & 0x80 != 0 {
        let Some((&kind, rest)) = bytes.split_first() else {
            return;
        };
        let element = ELEMENTS[usize::from(kind) % ELEMENTS.len()];
        let shape = SHAPES[usize::from(kind) / ELEMENTS.len() % SHAPES.len()];
        raw = Some((shape.to_vec(), Element::of_name(element).unwrap()));
        bytes = rest;
    }
    let name = NAMES[usize::from(selector) % NAMES.len()];
    let file = File { bytes, name, raw };
    let Ok(reader) = file.open() else { return };
    let coding = selector.rotate_left(3) ^ bytes.len() as u8;
    if reader.is_table() {
        table(&file, reader);
    } else {
        numbers(&file, &reader);
    }
    for model in [0, 1, PICTURES, SIGNALS, TABLES] {
        coded(&file, &MODELS[model], coding);
    }
});

fn numbers(file: &File<'_>, reader: &DataReader) {
    let (shape, dims) = (&reader.source().shape, reader.source().dims().unwrap());
    // One row of values is cut, where something divides it.
    let cut: &[usize] = &[if dims % 7 == 0 { 7 } else { 1 }];
    let _ = file.read(&Values::default(), 1 << 16, &[]);
    let default = file.comes_back(&Values::default(), 1 << 16, cut);
    let found = file.open().unwrap().survey();
    if default.is_none() || dims > LARGE && shape.len() > 1 {
        return;
    }
    let odd = Values::Numbers(Step {
        lowest: -3,
        step: 2,
    });
    file.comes_back(&odd, 100, cut).unwrap();
    if let Some(&channels @ 3..=4) = shape.last().filter(|_| shape.len() > 1) {
        for levels in [5, 256, 1 << 15] {
            let green = Values::GreenFirst(GreenFirst { levels, channels });
            file.comes_back(&green, 2 * levels - 1, cut).unwrap();
        }
    }
    let Ok((step, levels)) = found else { return };
    assert!((1..=1 << 16).contains(&levels));
    let values = Values::Numbers(step);
    file.comes_back(&values, levels, cut).unwrap();
    // All whole numbers are among them.
    let read = file.read(&values, levels, cut).unwrap();
    assert!(read.rows.exceptions.len() <= read.rows.symbols.len() / 100);
}

fn table(file: &File<'_>, reader: DataReader) {
    let Values::Columns(fixed) = MODELS[TABLES].values() else {
        return;
    };
    let mut tables = vec![fixed];
    if let Ok(columns) = reader.columns() {
        assert!(columns.iter().all(|c| (1..=1 << 16).contains(&c.levels())));
        tables.push(columns.iter().map(poorer).collect());
        tables.push(columns);
    }
    for columns in tables {
        file.comes_back(&Values::Columns(columns), 1 << 16, &[]);
    }
}

/// Half of a column's values, so that the others are exceptions.
fn poorer(column: &Column) -> Column {
    let mut column = column.clone();
    column.texts.truncate(column.texts.len().div_ceil(2));
    if let Some(numbers) = &mut column.numbers {
        numbers.count = numbers.count.div_ceil(2);
    }
    column
}

/// What a model takes comes back, the whole of it and some.
fn coded(file: &File<'_>, model: &VaeModel, coding: u8) {
    let (values, options) = (model.values(), options(coding));
    let mut reader = file.open().unwrap();
    if bbans::bind(model, &mut reader).is_err() {
        return;
    }
    let Ok(read) = file.read(&values, model.levels(), model.shape()) else {
        return;
    };
    let bound = read.rows.symbols.len() <= 1 << 14;
    let Ok(compressed) = encode(model, file.open().unwrap(), options) else {
        // Symbols that it does not have, or many exceptions.
        return;
    };
    let decoded = decode(model, &compressed).unwrap().unwrap();
    let restored = read.restored(&values);
    if options.unordered {
        assert_eq!(read.unordered(restored), read.unordered(decoded));
        return;
    }
    assert!(decoded == restored);
    let count = read.rows.count as u64;
    if count == 0 || !bound {
        return;
    }
    let (start, end) = (
        u64::from(coding) % count,
        count - u64::from(coding >> 4) % count,
    );
    if start < end {
        let part = decode_range(model, &compressed, start..end).unwrap();
        let whole = decode_range(model, &compressed, 0..count).unwrap();
        check_range(file, model, &read, &part, start as usize..end as usize);
        check_range(file, model, &read, &whole, 0..count as usize);
    }
}

/// Checks that a part has the data that it should have.
fn check_range(
    file: &File<'_>,
    model: &VaeModel,
    read: &Read,
    part: &[u8],
    range: std::ops::Range<usize>,
) {
    let dims = model.dims();
    match &read.source.layout {
        // Another beginning may be told apart otherwise.
        Layout::Amat { .. } | Layout::Csv(_) => {
            let restored = read.restored(&model.values());
            let cut = usize::from(read.end.cut);
            let whole = range == (0..read.rows.count);
            assert!(!whole || part.starts_with(&restored) && part.len() == restored.len() + cut);
        }
        // Values without a header that look like gzip.
        _ if file.raw.is_some() && part.starts_with(&[0x1f, 0x8b]) => {}
        _ => {
            let found = file.with(part);
            let found = found.read(&model.values(), model.levels(), model.shape());
            let found = found.unwrap().rows;
            let places = range.start * dims..range.end * dims;
            let mut exceptions = read.rows.exceptions.clone();
            exceptions.retain(|e| places.contains(&e.at));
            exceptions.iter_mut().for_each(|e| e.at -= places.start);
            assert_eq!(found.count, range.len());
            // In the place of an exception is any symbol.
            let symbols = read.rows.symbols[places]
                .iter()
                .zip(&found.symbols)
                .enumerate();
            let excepted = |at| exceptions.iter().any(|e| e.at == at);
            let green = matches!(model.values(), Values::GreenFirst(_));
            assert!(green || symbols.clone().all(|(at, (a, b))| a == b || excepted(at)));
            assert_eq!(found.exceptions, exceptions);
        }
    }
}
