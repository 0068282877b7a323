//! Whole data sets in memory, for the subcommands that need them so.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};
use bbans::data::{Exception, Layout};
use bbans::{DataReader, Rows, Source};

/// Most values of a data set in memory.
const MAX_VALUES: usize = 1 << 32;

/// A data set.
#[derive(Debug, Clone, Default)]
pub(crate) struct DataSet {
    /// Shape of one datum.
    pub(crate) shape: Vec<usize>,
    /// Row-major `[count, dims]`.
    pub(crate) symbols: Vec<u16>,
    /// What the symbols do not say.
    pub(crate) exceptions: Vec<Exception>,
}

impl DataSet {
    /// Reads all data of a reader.
    ///
    /// # Errors
    /// If they cannot be read or are too many.
    pub(crate) fn read(mut reader: DataReader) -> Result<Self> {
        let mut all = Self {
            shape: reader.source().shape.clone(),
            ..Self::default()
        };
        loop {
            let rows = reader.read(1000)?;
            if rows.count == 0 {
                return Ok(all);
            }
            let before = all.symbols.len();
            all.exceptions
                .extend(rows.exceptions.into_iter().map(|e| Exception {
                    at: before + e.at,
                    ..e
                }));
            all.symbols.extend(rows.symbols);
            if all.symbols.len() > MAX_VALUES {
                bail!("the data are larger than 8 GiB, too large to be held in memory");
            }
        }
    }

    /// The data as one batch.
    pub(crate) fn rows(&self) -> Rows {
        Rows {
            count: self.count(),
            symbols: self.symbols.clone(),
            exceptions: self.exceptions.clone(),
        }
    }

    /// Values of one datum.
    pub(crate) fn dims(&self) -> usize {
        self.shape.iter().product::<usize>().max(1)
    }

    /// Number of data.
    pub(crate) fn count(&self) -> usize {
        self.symbols.len() / self.dims()
    }

    /// `limit` data spread evenly over the set: number `i * count / limit` for every `i`.
    pub(crate) fn spread(self, limit: usize) -> Self {
        let (count, dims) = (self.count(), self.dims());
        if limit >= count {
            return self;
        }
        let mut spread = Self {
            shape: self.shape.clone(),
            ..Self::default()
        };
        let mut exceptions = self.exceptions.into_iter().peekable();
        for i in 0..limit {
            let row = (i as u128 * count as u128 / limit as u128) as usize * dims;
            let start = spread.symbols.len();
            while exceptions.next_if(|e| e.at < row).is_some() {}
            while let Some(e) = exceptions.next_if(|e| e.at < row + dims) {
                spread.exceptions.push(Exception {
                    at: start + e.at - row,
                    ..e
                });
            }
            spread.symbols.extend(&self.symbols[row..row + dims]);
        }
        spread
    }

    /// The symbols as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.symbols.iter().map(|&s| s as u8).collect()
    }

    /// The set as an IDX file.
    ///
    /// # Errors
    /// If a size does not fit the format.
    pub(crate) fn to_idx(&self) -> Result<Vec<u8>> {
        let sizes = std::iter::once(self.count()).chain(self.shape.iter().copied());
        let sizes: Vec<u32> = sizes
            .map(u32::try_from)
            .collect::<std::result::Result<_, _>>()?;
        let mut idx = vec![0, 0, 8, u8::try_from(sizes.len())?];
        sizes.iter().for_each(|size| idx.extend(size.to_be_bytes()));
        idx.extend(self.bytes());
        Ok(idx)
    }

    /// Writes the set in the format of a path's name: `.amat` (for data of 0 and 1), else IDX.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, path: &Path, out: &mut impl Write) -> Result<()> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("amat") => {
                for row in self.symbols.chunks_exact(self.dims()) {
                    let line: Vec<&str> = row
                        .iter()
                        .map(|&b| if b == 0 { "0" } else { "1" })
                        .collect();
                    writeln!(out, "{}", line.join(" "))?;
                }
                Ok(())
            }
            Some("npy" | "png" | "gz") => {
                bail!(
                    "cannot write {}: expected a name ending in .amat or .idx",
                    path.display()
                )
            }
            _ => Ok(out.write_all(&self.to_idx()?)?),
        }
    }
}

/// Whether data are a folder of PNG files.
pub(crate) fn is_png_folder(source: &Source) -> bool {
    matches!(&source.layout, Layout::Png(pictures) if !pictures.single)
}
