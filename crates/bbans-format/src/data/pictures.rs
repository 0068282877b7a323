//! Sets of PNG files, and single ones.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bbans_core::{Error, Result};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::names::Names;
use super::picture::folder::{self, Family};
use super::picture::png::{self, Color, Kind, Picture};
use super::source::{Layout, Source};
use crate::bytes::{Recorder, put_varint};
use crate::container::MAX_HEADER_BYTES;

/// PNG files: one for each datum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// What the pixels are.
    pub kind: Kind,
    /// Whether it was one file, not a folder of them.
    pub single: bool,
    /// Names of the files, or their paths below the folder, in order.
    pub names: Names,
    /// Of each file the chunks that say something of the pixels; none at all if no file has any.
    pub chunks: Vec<Vec<u8>>,
}

const SINGLE: u8 = 1;
const TREE: u8 = 2;
const CHUNKS: u8 = 4;

impl Pictures {
    /// Whether version 1 has such pictures: grey, without other chunks, in one folder.
    pub(super) fn are_old(&self) -> bool {
        let flat = !self.names.iter().any(|name| name.contains('/'));
        self.kind.color == Color::Grey && self.kind.depth <= 8 && self.chunks.is_empty() && flat
    }

    /// Some of the pictures: one as a file, several as a folder.
    pub(super) fn of_range(&self, range: Range<usize>) -> Result<Self> {
        let name = |i| self.names.get(i).unwrap_or_default();
        let names = match range.len() {
            1 => Names::new(name(range.start).rsplit('/').next()),
            _ => Names::of_tree(range.clone().map(name)),
        };
        Ok(Self {
            kind: self.kind,
            single: range.len() == 1,
            names: names?,
            chunks: self.chunks.get(range).unwrap_or_default().to_vec(),
        })
    }

    fn check_single(&self) -> Result<()> {
        match self.names.len() {
            1 => Ok(()),
            _ if !self.single => Ok(()),
            names => Err(Error::corruption(format!(
                "{names} names of one picture; expected 1"
            ))),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        if self.are_old() {
            out.extend([self.kind.depth, u8::from(self.single)]);
            return self.names.write(out);
        }
        out.extend(self.kind.codes());
        let tree = self.names.iter().any(|name| name.contains('/'));
        let flags = [
            (self.single, SINGLE),
            (tree, TREE),
            (!self.chunks.is_empty(), CHUNKS),
        ];
        out.push(flags.iter().filter(|f| f.0).map(|f| f.1).sum());
        self.names.write(out)?;
        if !self.chunks.is_empty() {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
            for chunks in &self.chunks {
                let mut len = Vec::new();
                put_varint(&mut len, chunks.len() as u64);
                encoder.write_all(&len)?;
                encoder.write_all(chunks)?;
            }
            let compressed = encoder.finish()?;
            put_varint(out, compressed.len() as u64);
            out.extend(compressed);
        }
        Ok(())
    }

    /// Reads what version 1 has.
    pub(super) fn read_old<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        let [depth, single] = r.array()?;
        if !matches!(depth, 1 | 8) || single > 1 {
            return Err(unknown());
        }
        let pictures = Self {
            kind: Kind {
                color: Color::Grey,
                depth,
            },
            single: single == 1,
            names: Names::read(r)?,
            chunks: vec![],
        };
        pictures.check_single()?;
        Ok(pictures)
    }

    pub(super) fn read<R: Read>(r: &mut Recorder<'_, R>) -> Result<Self> {
        let [color, depth, flags] = r.array()?;
        let (Some(kind), 0..=7) = (Kind::of_codes([color, depth]), flags) else {
            return Err(unknown());
        };
        let names = match flags & TREE {
            0 => Names::read(r)?,
            _ => Names::read_tree(r)?,
        };
        let chunks = match flags & CHUNKS {
            0 => vec![],
            _ => read_chunks(r, names.len())?,
        };
        let pictures = Self {
            kind,
            single: flags & SINGLE != 0,
            names,
            chunks,
        };
        pictures.check_single()?;
        let tree = pictures.names.iter().any(|name| name.contains('/'));
        let some = pictures.chunks.iter().any(|chunks| !chunks.is_empty());
        // One form for each source.
        if pictures.are_old() || tree != (flags & TREE != 0) || some != (flags & CHUNKS != 0) {
            return Err(Error::corruption(
                "pictures in a form that no encoder writes",
            ));
        }
        Ok(pictures)
    }
}

/// Most bytes of the chunks of all files together.
const MAX_CHUNKS: u64 = 1 << 28;

fn read_chunks<R: Read>(r: &mut Recorder<'_, R>, count: usize) -> Result<Vec<Vec<u8>>> {
    let len = r.varint(MAX_HEADER_BYTES, "the length of the chunks")?;
    let compressed = r.bytes(len)?;
    // Few bytes can hold many.
    let mut input = ZlibDecoder::new(&compressed[..]).take(MAX_CHUNKS);
    let mut r = Recorder::new(&mut input);
    let mut all = Vec::new();
    for _ in 0..count {
        let len = r.varint(MAX_CHUNKS, "the length of a file's chunks")?;
        all.push(r.bytes(len)?);
    }
    let mut rest = [0];
    match input.read(&mut rest)? {
        0 => Ok(all),
        _ => Err(Error::corruption("chunks of more files than there are")),
    }
}

fn unknown() -> Error {
    Error::compatibility(
        "the header names a kind of picture that this program does not know; use a newer bbans",
    )
}

/// The PNG files of a folder and those in it, in the order of their names; shape and kind are those of the first.
///
/// # Errors
/// If there is no PNG file, a name cannot be restored everywhere, or the first cannot be read.
pub fn read_folder(folder: &Path) -> Result<(Source, Vec<PathBuf>)> {
    let (names, paths) = folder::list(folder)?;
    let first = paths.first().zip(names.get(0));
    let (first, name) = first.ok_or_else(|| Error::invalid_argument("no picture"))?;
    if Family::of(name) != Some(Family::Png) {
        return Err(Error::invalid_argument(format!(
            "{}: a folder of PNM files; expected PNG files, or one PNM file",
            folder.display()
        )));
    }
    let Picture { shape, kind, .. } = read(first)?;
    let of_file = |path: &PathBuf| {
        open(path)
            .and_then(png::chunks)
            .map_err(|e| e.context(path.display()))
    };
    let mut chunks = paths.iter().map(of_file).collect::<Result<Vec<_>>>()?;
    if chunks.iter().all(Vec::is_empty) {
        chunks.clear();
    }
    let pictures = Pictures {
        kind,
        single: false,
        names,
        chunks,
    };
    let layout = Layout::Png(pictures);
    Ok((Source { shape, layout }, paths))
}

fn open(path: &Path) -> Result<BufReader<fs::File>> {
    // Not opened first: that of a named pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(Error::invalid_argument(
            "not a regular file; expected a folder of PNG files alone",
        ));
    }
    Ok(BufReader::new(fs::File::open(path)?))
}

fn read(path: &Path) -> Result<Picture> {
    open(path)
        .and_then(png::decode)
        .map_err(|e| e.context(path.display()))
}

/// Pixels of a file, number `index` of those of `source`, which must be like the others.
pub(super) fn read_like(path: &Path, source: &Source, index: usize) -> Result<Vec<u16>> {
    let found = read(path)?;
    let Layout::Png(pictures) = &source.layout else {
        return Err(Error::invalid_argument("no PNG data"));
    };
    if found.shape != source.shape || found.kind != pictures.kind {
        return Err(Error::invalid_argument(format!(
            "{}: a picture of shape {:?} and {} bits; the first of the folder has shape {:?} and {} bits, and all must \
             be alike",
            path.display(),
            found.shape,
            found.kind.depth,
            source.shape,
            pictures.kind.depth
        )));
    }
    let chunks = pictures.chunks.get(index).map_or(&[][..], Vec::as_slice);
    if found.chunks != chunks {
        return Err(Error::invalid_argument(format!(
            "{}: the file has changed while the folder was read; try again",
            path.display()
        )));
    }
    Ok(found.values)
}
