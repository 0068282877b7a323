//! Restoring data files.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use bbans_core::{Error, Result};

use bbans_nn::description::{Column, Values};

use super::amat::Line;
use super::array::reverse_axes;
use super::csv;
use super::numeric::Numeric;
use super::picture::png;
use super::rows::Rows;
use super::source::{Layout, Source};

/// Where a file is restored to.
pub enum Target {
    /// A stream.
    Stream(Box<dyn Write + Send>),
    /// A folder that is there, for a set of PNG files.
    Folder(PathBuf),
    /// Nowhere: everything is checked and nothing is kept.
    Nowhere,
}

/// Restores one data file.
pub struct DataWriter {
    source: Source,
    dims: usize,
    target: Target,
    hasher: blake3::Hasher,
    /// Data written.
    count: usize,
    /// The end of the last line, which the trailer may take away; of a file in another order all values.
    pending: Vec<u8>,
    numeric: Numeric,
    /// Of a table.
    columns: Vec<Column>,
}

impl DataWriter {
    /// A writer of `source` to `target`; writes what comes before the data.
    ///
    /// # Errors
    /// If the target does not suit the source, or cannot be written.
    pub fn new(source: Source, dims: usize, values: &Values, target: Target) -> Result<Self> {
        let element = source.element();
        let of_table = matches!(source.layout, Layout::Csv(_));
        let (numeric, columns) = match (values, of_table) {
            (Values::Columns(columns), true) => {
                let none = Values::default();
                (Numeric::new(element, &none, 1 << 16), columns.clone())
            }
            (values, false) => (Numeric::new(element, values, 1 << 16), Vec::new()),
            _ => (None, Vec::new()),
        };
        let numeric = numeric.ok_or_else(|| {
            Error::corruption(format!(
                "the file holds {}, and the model is one of other data",
                source.kind()
            ))
        })?;
        let mut writer = Self {
            dims,
            target,
            hasher: blake3::Hasher::new(),
            count: 0,
            pending: vec![],
            source,
            numeric,
            columns,
        };
        match (&writer.source.layout, &writer.target) {
            (Layout::Png(pictures), Target::Stream(_)) if !pictures.single => {
                return Err(Error::invalid_argument(
                    "the file holds a folder of PNG files, which cannot go to a stream; \
                     name a folder with -o",
                ));
            }
            (Layout::Array(array), _) => {
                let prefix = array.prefix.clone();
                writer.put(&prefix)?;
            }
            (Layout::Csv(Some(dialect)), _) => {
                let header = dialect.header().to_vec();
                writer.pending = header;
            }
            _ => {}
        }
        Ok(writer)
    }

    /// Writes data, whose symbols each stand for the one that is `scale` times as large.
    ///
    /// # Errors
    /// If the target cannot be written, or the data do not fit the source.
    pub fn write(&mut self, rows: &Rows, scale: u16) -> Result<()> {
        self.check_scale(scale)?;
        let symbols = &rows.symbols;
        match self.source.layout.clone() {
            Layout::Array(array) => {
                self.count += rows.count;
                let mut bytes = Vec::new();
                self.numeric.put(rows, scale, &mut bytes)?;
                match array.fortran {
                    true => self.pending.extend(bytes),
                    false => self.put(&bytes)?,
                }
                Ok(())
            }
            Layout::Amat {
                separator,
                trailing,
                crlf,
            } => {
                let line = Line {
                    dims: self.dims,
                    separator,
                    trailing,
                    crlf,
                };
                let all = symbols.iter().fold(0, |all, &s| all | s);
                if !rows.exceptions.is_empty() || all > 1 {
                    return Err(Error::corruption(
                        "a value that .amat does not have; expected 0 or 1",
                    ));
                }
                let mut text = std::mem::take(&mut self.pending);
                for row in symbols.chunks_exact(self.dims.max(1)) {
                    line.render(row, &mut text);
                    text.extend(line.end());
                    self.count += 1;
                }
                let body = text.len() - line.end().len().min(text.len());
                self.pending = text.split_off(body);
                self.put(&text)
            }
            Layout::Csv(Some(dialect)) => {
                self.count += rows.count;
                let mut text = std::mem::take(&mut self.pending);
                csv::render(
                    &dialect,
                    &self.columns,
                    &rows.symbols,
                    &rows.exceptions,
                    &mut text,
                )?;
                let body = text.len() - dialect.line_end().len().min(text.len());
                self.pending = text.split_off(body);
                self.put(&text)
            }
            Layout::Csv(None) => Err(Error::corruption("a table without columns")),
            Layout::Png(pictures) => {
                let mut bytes = Vec::new();
                self.numeric.put(rows, scale, &mut bytes)?;
                self.hasher.update(&bytes);
                let size = self.numeric.element.size();
                let each = self.dims.max(1) * size;
                for picture in bytes.chunks_exact(each) {
                    let value = |v: &[u8]| v.iter().fold(0, |n, &b| n << 8 | u16::from(b));
                    let values: Vec<u16> = picture.chunks_exact(size).map(value).collect();
                    let index = self.count;
                    let name = pictures.names.get(index).ok_or_else(too_many)?;
                    let chunks = pictures.chunks.get(index).map_or(&[][..], Vec::as_slice);
                    let mut file = Vec::new();
                    png::encode(
                        &mut file,
                        &self.source.shape,
                        pictures.kind,
                        chunks,
                        &values,
                    )?;
                    self.put_file(name, &file)?;
                    self.count += 1;
                }
                Ok(())
            }
        }
    }

    /// Checks that bits as 0 and another number are in a file that has room for it.
    fn check_scale(&self, scale: u16) -> Result<()> {
        let none = match &self.source.layout {
            Layout::Array(_) => self.numeric.colours.is_some(),
            Layout::Png(pictures) => pictures.kind.depth == 1 || self.numeric.colours.is_some(),
            Layout::Amat { .. } | Layout::Csv(_) => true,
        };
        if none && scale != 1 {
            return Err(Error::corruption(format!(
                "a block of scale {scale}; expected 1"
            )));
        }
        Ok(())
    }

    /// Writes one file of a set.
    fn put_file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        match &mut self.target {
            Target::Nowhere => Ok(()),
            Target::Stream(out) => Ok(out.write_all(bytes)?),
            Target::Folder(folder) => {
                let path = folder.join(name);
                let written = || {
                    // Below the folder alone: one that was taken away, after a signal, stays away.
                    for (at, _) in name.match_indices('/') {
                        match fs::create_dir(folder.join(&name[..at])) {
                            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                            _ => {}
                        }
                    }
                    let mut file = fs::File::create_new(&path)?;
                    file.write_all(bytes)
                };
                let written: std::io::Result<()> = written();
                written.map_err(|e| Error::from(e).context(format!("cannot write {name}")))
            }
        }
    }

    /// Writes what comes after the data. Returns BLAKE3 of all that was restored, for PNG of the pixels, which must be
    /// that of what was read.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Corruption`] if that is not what the data need.
    pub fn finish(mut self, cut: u8) -> Result<[u8; 32]> {
        let mut pending = std::mem::take(&mut self.pending);
        if let Layout::Array(array) = &self.source.layout
            && array.fortran
        {
            let axes = [&[self.count][..], &self.source.shape].concat();
            pending = reverse_axes(&pending, &axes, self.numeric.element.size());
        }
        let kept = pending.len().checked_sub(usize::from(cut));
        let kept =
            kept.ok_or_else(|| Error::corruption("the trailer cuts more than a line's end"))?;
        self.put(&pending[..kept])?;
        if let Layout::Png(pictures) = &self.source.layout
            && pictures.names.len() != self.count
        {
            return Err(Error::corruption(format!(
                "{} images for {} names",
                self.count,
                pictures.names.len()
            )));
        }
        if let Target::Stream(out) = &mut self.target {
            out.flush()?;
        }
        Ok(self.hasher.finalize().into())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        match &mut self.target {
            Target::Nowhere => Ok(()),
            Target::Stream(out) => Ok(out.write_all(bytes)?),
            Target::Folder(_) if bytes.is_empty() => Ok(()),
            Target::Folder(_) => Err(Error::invalid_argument(
                "the file holds one data file, not a folder; name a file with -o",
            )),
        }
    }
}

fn too_many() -> Error {
    Error::corruption("more images than names")
}
