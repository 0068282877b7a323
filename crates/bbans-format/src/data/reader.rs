//! Reading data files as rows of bytes.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

use bbans_core::{Error, Result};
use flate2::bufread::MultiGzDecoder;

use bbans_nn::description::{Column, Step, Values};

use super::amat::Line;
use super::array::{self, Array, Form};
use super::csv::{self, CsvReader, InferOptions};
use super::element::Element;
use super::names::Names;
use super::npy;
use super::numeric::{Numeric, Survey};
use super::picture::{png, pnm};
use super::pictures::{self, Pictures};
use super::rows::Rows;
use super::source::{Layout, Source};
use crate::container::{MAX_DIMS, dims_of};

/// What is known of a file once it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Bytes of the last line's end that the file does not have.
    pub cut: u8,
    /// BLAKE3 of the file's bytes, without the gzip around it; of the pixels for PNG.
    pub digest: [u8; 32],
    /// Number of bytes that were digested.
    pub bytes: u64,
}

/// Reads the data of a file in order.
pub struct DataReader {
    source: Source,
    input: Input,
    numeric: Numeric,
}

type Stream = BufReader<Hashed<Box<dyn Read + Send>>>;
type Chained = std::io::Chain<std::io::Cursor<Vec<u8>>, Stream>;

enum Input {
    Values(array::Values<Stream>),
    /// Lines; `cut` once the last one was seen.
    Lines {
        stream: Stream,
        line: Line,
        first: Vec<u8>,
        cut: u8,
    },
    Empty {
        stream: Stream,
    },
    /// What was taken away to become another.
    Done,
    Png {
        paths: std::iter::Enumerate<std::vec::IntoIter<PathBuf>>,
        hasher: blake3::Hasher,
    },
    OnePng {
        pixels: Option<Vec<u16>>,
        hasher: blake3::Hasher,
    },
    /// A table whose columns nobody has said yet.
    Unread {
        head: Vec<u8>,
        stream: Stream,
    },
    Table(Box<CsvReader<Chained>>),
}

impl DataReader {
    /// Opens a stream and tells its format from its first bytes. `name` is that of the file, for
    /// the one PNG that a set may be.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if the format is none that bbans reads.
    pub fn open(input: impl Read + Send + 'static, name: &str) -> Result<Self> {
        let mut stream = unzipped(input)?;
        let mut head = Vec::new();
        (&mut stream).take(8).read_to_end(&mut head)?;
        match head.as_slice() {
            [] => Self::empty(stream),
            [0x89, b'P', b'N', b'G', ..] => Self::one_png(head, stream, name),
            [0, 0, ..] => Self::idx(head, stream),
            h if h.starts_with(npy::MAGIC) => Self::npy(head, stream),
            h if pnm::is_pnm(h) => Self::pnm(head, stream),
            h if h == crate::container::MAGIC => Err(Error::invalid_argument(
                "the input is a bbans file already; `bbans decompress` restores what is in it",
            )),
            _ => Self::text(head, stream, name),
        }
    }

    /// The values of a stream without a header, in data of this shape.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if the shape has no axes, or no values.
    pub fn raw(
        input: impl Read + Send + 'static,
        shape: Vec<usize>,
        element: Element,
    ) -> Result<Self> {
        if shape.is_empty() {
            return Err(Error::invalid_argument(
                "values without a header or a shape; expected the shape of a datum",
            ));
        }
        let stream = unzipped(input)?;
        let array = Array {
            form: Form::Raw,
            prefix: Vec::new(),
            element,
            fortran: false,
        };
        Self::array(shape, array, None, stream)
    }

    /// A folder of PNG files of one size, in the order of their names.
    ///
    /// # Errors
    /// If there are none, or the first cannot be read.
    pub fn open_folder(folder: &std::path::Path) -> Result<Self> {
        let (source, paths) = pictures::read_folder(folder)?;
        let input = Input::Png {
            paths: paths.into_iter().enumerate(),
            hasher: blake3::Hasher::new(),
        };
        Ok(Self::new(source, input))
    }

    fn new(source: Source, input: Input) -> Self {
        let element = match &source.layout {
            Layout::Array(array) => array.element,
            Layout::Png(pictures) => pictures.kind.element(),
            _ => Element::U8,
        };
        let numeric = Numeric {
            element,
            values: Step { lowest: 0, step: 1 },
            levels: 1 << 16,
            colours: None,
        };
        Self {
            source,
            input,
            numeric,
        }
    }

    /// Symbols from here on stand for these values, of `levels` of them.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if the file has no such values.
    pub fn bind(&mut self, values: &Values, levels: usize) -> Result<()> {
        match (values, std::mem::replace(&mut self.input, Input::Done)) {
            (Values::Columns(columns), Input::Unread { head, stream }) => {
                let reader = CsvReader::open(head.chain_stream(stream), columns)?;
                self.source = Source {
                    shape: vec![columns.len()],
                    layout: Layout::Csv(Some(reader.dialect().clone())),
                };
                self.input = Input::Table(Box::new(reader));
                Ok(())
            }
            (_, Input::Unread { .. }) => Err(Error::invalid_argument(
                "the data are a table, the model is one of numbers; train a model of tables with `bbans train`",
            )),
            (values, input) => {
                self.input = input;
                let numeric = Numeric::new(self.numeric.element, values, levels);
                self.numeric = numeric.ok_or_else(|| {
                    Error::invalid_argument(format!(
                        "the model is one of tables, the data are {}; expected a CSV file",
                        self.source.kind()
                    ))
                })?;
                Ok(())
            }
        }
    }

    /// The type of the file's values: bytes, where it has others than numbers.
    pub fn element(&self) -> Element {
        self.numeric.element
    }

    /// Whether it is a table whose columns nobody has said yet.
    pub fn is_table(&self) -> bool {
        matches!(self.input, Input::Unread { .. } | Input::Table(_))
    }

    /// The columns of a table, found by reading all of it.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if it is none, or a column is none that a model can have.
    pub fn columns(self) -> Result<Vec<Column>> {
        match self.input {
            Input::Unread { head, stream } => {
                csv::infer(head.chain_stream(stream), &InferOptions::default())
            }
            _ => Err(Error::invalid_argument(format!(
                "the data are {}; expected a CSV file that was not read yet",
                self.source.kind()
            ))),
        }
    }

    /// The numbers of a file that is not a table, found by reading all of it: what symbols can stand for, and how many.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if they are no whole numbers, or too many.
    pub fn survey(mut self) -> Result<(Step, usize)> {
        let mut survey = Survey::default();
        if let Input::Values(values) = &mut self.input {
            values.survey(self.numeric.element, &mut survey)?;
            return survey.found();
        }
        loop {
            let rows = self.read(1 << 10)?;
            if rows.count == 0 {
                return survey.found();
            }
            rows.symbols
                .iter()
                .for_each(|&s| survey.see(Some(i64::from(s)), &[]));
        }
    }

    /// Makes data of this shape of a file that is one long row of values; other files stay as they are.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::InvalidArgument`] if the shape does not divide the file.
    pub fn fit(&mut self, shape: &[usize]) -> Result<()> {
        match &mut self.input {
            Input::Values(values) if values.is_flat() => {
                values.cut(dims_of(shape)?)?;
                self.source.shape = shape.to_vec();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// PGM and PPM, as values behind a header.
    fn pnm(mut prefix: Vec<u8>, mut stream: Stream) -> Result<Self> {
        let header = loop {
            match pnm::parse(&prefix)? {
                Some(header) => break header,
                None => {
                    // Twice as much, so that a long header is not looked at once for each of its bytes.
                    let before = prefix.len();
                    (&mut stream).take(before as u64).read_to_end(&mut prefix)?;
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
        Self::array_of(header.shape, array, Some(1), first, stream)
    }

    /// .amat or CSV, by the name or by what it looks like.
    fn text(head: Vec<u8>, mut stream: Stream, name: &str) -> Result<Self> {
        let name = name
            .strip_suffix(".gz")
            .unwrap_or(name)
            .to_ascii_lowercase();
        let mut first = head;
        if !first.contains(&b'\n') {
            let limit = 2 * MAX_DIMS as u64 + 2;
            (&mut stream).take(limit).read_until(b'\n', &mut first)?;
        }
        let named = [".csv", ".tsv", ".tab"]
            .iter()
            .any(|end| name.ends_with(end));
        let line = first
            .split_inclusive(|&b| b == b'\n')
            .next()
            .unwrap_or_default();
        let looks = Line::detect(line).is_err() && str::from_utf8(line).is_ok_and(is_record);
        if !named && !looks {
            return Self::amat(first, stream);
        }
        let source = Source {
            shape: vec![],
            layout: Layout::Csv(None),
        };
        let input = Input::Unread {
            head: first,
            stream,
        };
        Ok(Self::new(source, input))
    }

    fn empty(stream: Stream) -> Result<Self> {
        let layout = Layout::Amat {
            separator: b' ',
            trailing: false,
            crlf: false,
        };
        let source = Source {
            shape: vec![],
            layout,
        };
        Ok(Self::new(source, Input::Empty { stream }))
    }

    fn idx(mut prefix: Vec<u8>, mut stream: Stream) -> Result<Self> {
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
        (&mut stream).take(missing).read_to_end(&mut prefix)?;
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
        Self::array_of(shape, array, Some(count), values, stream)
    }

    fn npy(mut prefix: Vec<u8>, mut stream: Stream) -> Result<Self> {
        let wide = prefix.get(6).is_some_and(|&major| major >= 2);
        (&mut stream)
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
        (&mut stream).take(len).read_to_end(&mut prefix)?;
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
        Self::array(shape, array, Some(count), stream)
    }

    fn array(
        shape: Vec<usize>,
        array: Array,
        count: Option<usize>,
        stream: Stream,
    ) -> Result<Self> {
        Self::array_of(shape, array, count, Vec::new(), stream)
    }

    /// The data of an array, the first bytes of which were read already. Without a shape it is one row of values.
    fn array_of(
        shape: Vec<usize>,
        array: Array,
        count: Option<usize>,
        first: Vec<u8>,
        stream: Stream,
    ) -> Result<Self> {
        let (dims, flat) = match (shape.is_empty(), count) {
            (true, Some(_)) => (1, true),
            _ => (dims_of(&shape)?, false),
        };
        if dims == 0 {
            return Err(Error::invalid_argument(format!("data of shape {shape:?}")));
        }
        let values = array::Values::new(&array, first, stream, &shape, count, flat);
        let source = Source {
            // One row, until somebody says where it is cut.
            shape: if flat {
                vec![count.unwrap_or(0)]
            } else {
                shape
            },
            layout: Layout::Array(array),
        };
        Ok(Self::new(source, Input::Values(values)))
    }

    fn amat(first: Vec<u8>, stream: Stream) -> Result<Self> {
        let end = first
            .iter()
            .position(|&b| b == b'\n')
            .map_or(first.len(), |at| at + 1);
        let line = Line::detect(&first[..end])?;
        dims_of(&[line.dims])?;
        let source = Source {
            shape: vec![line.dims],
            layout: line.layout(),
        };
        let input = Input::Lines {
            stream,
            line,
            first,
            cut: 0,
        };
        Ok(Self::new(source, input))
    }

    fn one_png(head: Vec<u8>, stream: Stream, name: &str) -> Result<Self> {
        let picture = png::decode(head.chain_read(stream))?;
        let layout = Layout::Png(Pictures {
            kind: picture.kind,
            single: true,
            names: Names::new([name])?,
            chunks: Some(picture.chunks)
                .filter(|c| !c.is_empty())
                .into_iter()
                .collect(),
        });
        let input = Input::OnePng {
            pixels: Some(picture.values),
            hasher: blake3::Hasher::new(),
        };
        let shape = picture.shape;
        Ok(Self::new(Source { shape, layout }, input))
    }

    /// Shape and layout of the file.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Number of data, where the file says it before they are read.
    pub fn count_hint(&self) -> Option<usize> {
        match &self.input {
            Input::Values(values) => values.count_hint(),
            Input::Png { paths, .. } => Some(paths.len()),
            Input::OnePng { pixels, .. } => Some(usize::from(pixels.is_some())),
            Input::Empty { .. } => Some(0),
            Input::Lines { .. } | Input::Unread { .. } | Input::Table(_) => None,
            Input::Done => Some(0),
        }
    }

    /// The next data, up to `max`.
    ///
    /// # Errors
    /// If the file ends early, is longer than it says, or is not what its start promised.
    pub fn read(&mut self, max: usize) -> Result<Rows> {
        let dims = self.source.dims().unwrap_or(0);
        match &mut self.input {
            Input::Empty { .. } => Ok(Rows::default()),
            Input::Values(values) => values.read(max, dims, &self.numeric),
            Input::Lines {
                stream,
                line,
                first,
                cut,
            } => read_lines(stream, *line, first, cut, max),
            Input::Png { paths, hasher } => {
                let mut rows = Rows::default();
                for (index, path) in paths.by_ref().take(max) {
                    let pixels = pictures::read_like(&path, &self.source, index)?;
                    self.numeric.of_pixels(&pixels, hasher, &mut rows);
                }
                Ok(rows)
            }
            Input::OnePng { pixels, hasher } => {
                let mut rows = Rows::default();
                if let Some(pixels) = pixels.take_if(|_| max > 0) {
                    self.numeric.of_pixels(&pixels, hasher, &mut rows);
                }
                Ok(rows)
            }
            Input::Table(reader) => reader.read(max),
            Input::Unread { .. } => Err(Error::invalid_argument(
                "the data are a table, whose columns a model has to say; give one with --model, or train one with \
                 `bbans train`",
            )),
            Input::Done => Ok(Rows::default()),
        }
    }

    /// Ends the reading, after [`DataReader::read`] has given no more data.
    pub fn finish(self) -> End {
        let of = |s: Stream, cut| {
            let hashed = s.into_inner();
            End {
                cut,
                digest: hashed.hasher.finalize().into(),
                bytes: hashed.bytes,
            }
        };
        match self.input {
            Input::Values(values) => of(values.into_stream(), 0),
            Input::Empty { stream } => of(stream, 0),
            Input::Lines { stream, cut, .. } => of(stream, cut),
            Input::Unread { stream, .. } => of(stream, 0),
            Input::Table(reader) => {
                let (cut, chained) = reader.finish();
                of(chained.into_inner().1, cut)
            }
            Input::Done => End {
                cut: 0,
                digest: blake3::hash(&[]).into(),
                bytes: 0,
            },
            Input::Png { hasher, .. } | Input::OnePng { hasher, .. } => End {
                cut: 0,
                bytes: hasher.count(),
                digest: hasher.finalize().into(),
            },
        }
    }
}

/// The stream without a gzip around it.
fn unzipped(input: impl Read + Send + 'static) -> Result<Stream> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let input: Box<dyn Read + Send> = if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(input))
    } else {
        Box::new(input)
    };
    Ok(BufReader::with_capacity(1 << 16, Hashed::new(input)))
}

fn read_lines(
    stream: &mut Stream,
    line: Line,
    first: &mut Vec<u8>,
    cut: &mut u8,
    max: usize,
) -> Result<Rows> {
    let mut rows = Rows::default();
    let whole = line.body_len() + line.end().len();
    let mut text = Vec::with_capacity(whole);
    while rows.count < max && *cut == 0 {
        text.clear();
        let from_first = first.len().min(whole);
        text.extend(first.drain(..from_first));
        stream
            .take((whole - from_first) as u64)
            .read_to_end(&mut text)?;
        if text.is_empty() {
            break;
        }
        let missing = whole - text.len();
        *cut = missing.min(line.end().len()) as u8;
        let (body, end) = text.split_at(line.body_len().min(text.len()));
        let ended = line.end().starts_with(end);
        if missing > line.end().len() || !ended || line.parse(body, &mut rows.symbols).is_none() {
            return Err(Error::invalid_argument(format!(
                "line {} of the .amat text is not {} values 0 or 1 laid out like the first line \
                 (counted from the start of this part of the file)",
                rows.count + 1,
                line.dims
            )));
        }
        rows.count += 1;
    }
    Ok(rows)
}

/// A reader that digests what goes through it.
struct Hashed<R> {
    input: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R> Hashed<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.input.read(buf)?;
        self.hasher.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Whether a line has fields.
fn is_record(line: &str) -> bool {
    let visible = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    line.contains([',', ';', '\t', '|']) && line.chars().all(visible)
}

/// Bytes already read, before the rest of a stream.
trait ChainRead {
    fn chain_read(self, rest: impl Read) -> impl Read;

    fn chain_stream(self, rest: Stream) -> Chained;
}

impl ChainRead for Vec<u8> {
    fn chain_read(self, rest: impl Read) -> impl Read {
        std::io::Cursor::new(self).chain(rest)
    }

    fn chain_stream(self, rest: Stream) -> Chained {
        std::io::Cursor::new(self).chain(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_with_a_header_of_pnm_are_values_or_too_many_bytes() {
        let open = |text: String| {
            let bytes = std::io::Cursor::new(text.into_bytes());
            DataReader::open(bytes, "x.pgm").unwrap()
        };
        for comment in [0, 1, 5, 20, 65_000] {
            let header = format!("P5\n#{}\n3 1\n255\n", "x".repeat(comment));
            let mut reader = open(format!("{header}abc"));
            assert_eq!(reader.read(9).unwrap().symbols, [97, 98, 99]);
            assert_eq!(reader.finish().bytes, header.len() as u64 + 3);
            let refused = open(format!("{header}abcd")).read(9).unwrap_err();
            assert!(refused.to_string().contains("goes on"), "{refused}");
            assert!(open(format!("{header}ab")).read(9).is_err());
        }
    }
}
