//! Reading data files as rows of bytes.

use std::io::{BufRead, Read};
use std::path::PathBuf;

use bbans_core::{Error, Result};
use bbans_nn::description::{Column, Step, Values};

use super::amat::{Line, Lines, first_line};
use super::array::{self, Array, Form, Header};
use super::csv::{self, CsvReader, InferOptions};
use super::element::Element;
use super::names::Names;
use super::npy;
use super::numeric::Numeric;
use super::picture::{png, pnm};
use super::pictures::{self, Pictures};
use super::rows::Rows;
use super::source::{Layout, Source};
use super::stream::{Chained, Stream, chained, end, unzipped};
use super::survey::Survey;
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

enum Input {
    Values(array::Values<Stream>),
    Lines(Lines),
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
            [0, 0, ..] => Ok(Self::array(array::idx(head, &mut stream)?, stream)),
            h if h.starts_with(npy::MAGIC) => {
                Ok(Self::array(array::npy(head, &mut stream)?, stream))
            }
            h if pnm::is_pnm(h) => Ok(Self::array(array::pnm(head, &mut stream)?, stream)),
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
        let header = Header::new(array, shape, None, Vec::new())?;
        Ok(Self::array(header, stream))
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
        let element = source.element();
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
                let reader = CsvReader::open(chained(head, stream), columns)?;
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
            (Values::Columns(_), Input::Empty { .. }) => Err(Error::invalid_argument(
                "the file is empty; expected a CSV file, since the model is one of tables",
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
                csv::infer(chained(head, stream), &InferOptions::default())
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
        let line = first_line(&first);
        let looks = Line::detect(line).is_err() && str::from_utf8(line).is_ok_and(is_record);
        if !named && !looks {
            let lines = Lines::new(first, stream)?;
            let line = lines.line();
            let source = Source {
                shape: vec![line.dims],
                layout: line.layout(),
            };
            return Ok(Self::new(source, Input::Lines(lines)));
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

    fn array(mut header: Header, stream: Stream) -> Self {
        let values = array::Values::new(&mut header, stream);
        let source = Source {
            // One row, until somebody says where it is cut.
            shape: match header.is_flat() {
                true => header.count.into_iter().collect(),
                false => header.shape,
            },
            layout: Layout::Array(header.array),
        };
        Self::new(source, Input::Values(values))
    }

    fn one_png(head: Vec<u8>, stream: Stream, name: &str) -> Result<Self> {
        let picture = png::decode(chained(head, stream))?;
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
            Input::Lines(_) | Input::Unread { .. } | Input::Table(_) => None,
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
            Input::Lines(lines) => lines.read(max),
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
        match self.input {
            Input::Values(values) => end(values.into_stream(), 0),
            Input::Lines(lines) => lines.end(),
            Input::Empty { stream } | Input::Unread { stream, .. } => end(stream, 0),
            Input::Table(reader) => {
                let (cut, chained) = reader.finish();
                end(chained.into_inner().1, cut)
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

/// Whether a line has fields.
fn is_record(line: &str) -> bool {
    let visible = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    line.contains([',', ';', '\t', '|']) && line.chars().all(visible)
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
