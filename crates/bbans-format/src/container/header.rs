//! The header of a member.

use std::io::{ErrorKind as IoErrorKind, Read};

use bbans_core::block::Way;
use bbans_core::{Error, MAX_PARTICLES, Result, block};

use super::limits::{self, MAX_HEADER_BYTES};
use super::{MAGIC, VERSION, put_crc};
use crate::bytes::{Recorder, put_varint};
use crate::data::{Layout, Source};

/// Bytes of the fingerprint that a lean file has.
pub const LEAN_FINGERPRINT: usize = 8;

/// What follows a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Blocks, and a trailer.
    Blocks,
    /// Likewise, and every datum can be decoded alone.
    Independent,
    /// One block of few data, with one checksum.
    Lean,
}

const LEAN: u8 = 1;
const UNORDERED: u8 = 2;
const INDEPENDENT: u8 = 4;
const UNCOUPLED: u8 = 8;
const MODEL: u8 = 16;

/// The version from which on a header may have its model.
const MODEL_SINCE: u8 = 4;

/// What a member starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the container, 1 to 4.
    pub version: u8,
    /// What follows; [`Framing::Blocks`] in version 1.
    pub framing: Framing,
    /// BLAKE3 of the model; see `bbans_nn`. Of a lean file only the first [`LEAN_FINGERPRINT`] bytes are known, the others
    /// are 0.
    pub fingerprint: [u8; 32],
    /// The model's name, for messages.
    pub model_name: String,
    /// The model itself, packed, where the file carries it; since version 4. What follows it may need it too.
    pub model: Option<Vec<u8>>,
    /// How every block is coded; plain in version 1.
    pub way: Way,
    /// Data in every block but the last; of a lean file in its only block.
    pub block_len: usize,
    /// What the data came from.
    pub source: Source,
    /// How it was stored, if it was read.
    pub stored: Stored,
}

/// The CRC-32 of a header's bytes up to the end of its body, as they are in the file. Another writer may have packed
/// names otherwise, so it does not follow from the fields. It is no part of what a header says: all are equal.
#[derive(Debug, Clone, Copy, Default, Eq)]
pub struct Stored(Option<u32>);

impl PartialEq for Stored {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Header {
    /// The header's bytes.
    ///
    /// # Errors
    /// If a field is too large to be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let lean = self.framing == Framing::Lean;
        let mut body = Vec::new();
        if self.version > 1 {
            body.push(self.flags());
        }
        body.extend(self.known_fingerprint());
        let name = self.model_name.as_bytes();
        let len = u8::try_from(name.len());
        body.push(len.map_err(|_| Error::invalid_argument("a model name of over 255 bytes"))?);
        body.extend(name);
        if let Some(model) = &self.model {
            put_varint(&mut body, model.len() as u64);
            body.extend(model);
        }
        put_varint(&mut body, self.way.lanes as u64);
        put_varint(&mut body, self.block_len as u64);
        match self.version {
            1 if self.way == Way::plain(self.way.lanes) && self.framing == Framing::Blocks => {}
            2.. => {
                put_varint(&mut body, self.way.whitened as u64);
                put_varint(&mut body, self.way.particles as u64);
            }
            version => {
                return Err(Error::invalid_argument(format!(
                    "a header of version {version} for {:?} and {:?}; expected version 2 to {VERSION}, or version 1 and \
                     blocks of plain bits-back coding",
                    self.framing, self.way
                )));
            }
        }
        self.check()?;
        self.source
            .write(lean.then_some(self.block_len), &mut body)?;
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
        if u64::from(len) > MAX_HEADER_BYTES {
            return Err(Error::invalid_argument(format!(
                "a header of {} bytes; the limit is {MAX_HEADER_BYTES}",
                body.len()
            )));
        }
        let mut out = MAGIC.to_vec();
        out.push(self.version);
        match self.version {
            1 => out.extend(len.to_le_bytes()),
            _ => put_varint(&mut out, u64::from(len)),
        }
        out.extend(body);
        if !lean {
            put_crc(&mut out);
        }
        Ok(out)
    }

    fn flags(&self) -> u8 {
        let framing = match self.framing {
            Framing::Blocks => 0,
            Framing::Independent => INDEPENDENT,
            Framing::Lean => LEAN,
        };
        let unordered = if self.way.unordered { UNORDERED } else { 0 };
        let uncoupled = if self.way.coupled { 0 } else { UNCOUPLED };
        let model = if self.model.is_some() { MODEL } else { 0 };
        framing | unordered | uncoupled | model
    }

    /// Whether this fingerprint is that of the file, as far as the file knows it.
    pub fn is_of(&self, fingerprint: &[u8; 32]) -> bool {
        fingerprint.starts_with(self.known_fingerprint())
    }

    /// What the file has of the fingerprint.
    pub fn known_fingerprint(&self) -> &[u8] {
        match self.framing {
            Framing::Lean => &self.fingerprint[..LEAN_FINGERPRINT],
            _ => &self.fingerprint,
        }
    }

    /// The checksum of a lean file that restores to bytes of this BLAKE3 digest: of its data and of its header.
    ///
    /// # Errors
    /// As [`Header::to_bytes`].
    pub fn checksum(&self, digest: &[u8; 32]) -> Result<u32> {
        let crc = match self.stored.0 {
            Some(crc) => crc,
            None => crc32fast::hash(&self.to_bytes()?),
        };
        let [a, b, c, d, ..] = *digest;
        Ok(u32::from_le_bytes([a, b, c, d]) ^ crc)
    }

    /// Reads a header; `None` if the input is at its end.
    ///
    /// # Errors
    /// [`bbans_core::ErrorKind::Compatibility`] for another version,
    /// [`bbans_core::ErrorKind::Corruption`] for anything else that is no header, or beyond the limits
    /// of this version.
    pub fn read(input: &mut impl Read) -> Result<Option<Self>> {
        let mut first = [0];
        if !read_byte(input, &mut first)? {
            return Ok(None);
        }
        let mut rest = (&first[..]).chain(input);
        let mut r = Recorder::new(&mut rest);
        let magic = r.array::<8>().map_err(|e| match e.kind() {
            bbans_core::ErrorKind::Io => e,
            _ => not_ours(),
        })?;
        if magic != MAGIC {
            return Err(not_ours());
        }
        let version = r.byte()?;
        if !(1..=VERSION).contains(&version) {
            return Err(Error::compatibility(format!(
                "the file has format version {version}, this program reads versions 1 to {VERSION}; \
                 use a newer bbans"
            )));
        }
        let len = match version {
            1 => u64::from(r.u32()?),
            _ => r.varint(u64::from(u32::MAX), "the length of the header")?,
        };
        if len > MAX_HEADER_BYTES {
            return Err(Error::corruption(format!(
                "a header of {len} bytes; the limit is {MAX_HEADER_BYTES}"
            )));
        }
        let body = r.bytes(len)?;
        let stored = Stored(Some(r.crc()));
        // A lean header is part of what its file's checksum is of.
        if version == 1 || body.first().is_none_or(|flags| flags & LEAN == 0) {
            r.check_crc("the header")?;
        }
        let header = Self::parse(version, &body)?;
        Ok(Some(Self { stored, ..header }))
    }

    fn parse(version: u8, mut body: &[u8]) -> Result<Self> {
        let mut r = Recorder::new(&mut body);
        let flags = if version > 1 { r.byte()? } else { 0 };
        let known = match version {
            MODEL_SINCE.. => UNORDERED | UNCOUPLED | MODEL,
            _ => UNORDERED | UNCOUPLED,
        };
        let framing = match flags & !known {
            0 => Framing::Blocks,
            INDEPENDENT => Framing::Independent,
            LEAN => Framing::Lean,
            _ => {
                return Err(Error::compatibility(format!(
                    "the header has flags {flags:#x} that this program does not know; use a newer bbans"
                )));
            }
        };
        let mut fingerprint = [0; 32];
        if framing == Framing::Lean {
            fingerprint[..LEAN_FINGERPRINT].copy_from_slice(&r.array::<LEAN_FINGERPRINT>()?);
        } else {
            fingerprint = r.array()?;
        }
        let len = r.byte()?;
        let name = r.bytes(u64::from(len))?;
        if !name.iter().all(u8::is_ascii_graphic) {
            return Err(Error::corruption(
                "the model's name in the header is not printable",
            ));
        }
        let model_name = String::from_utf8_lossy(&name).into_owned();
        let model = match flags & MODEL {
            0 => None,
            _ => {
                let len = r.varint(MAX_HEADER_BYTES, "the length of the model")?;
                Some(r.bytes(len)?)
            }
        };
        let lanes = r.varint(block::MAX_LANES as u64, "the number of lanes")? as usize;
        let block_len = r.varint(block::MAX_COUNT as u64, "the length of a block")? as usize;
        let mut way = Way::plain(lanes);
        way.unordered = flags & UNORDERED != 0;
        way.coupled = flags & UNCOUPLED == 0;
        if version > 1 {
            let most = block::MAX_INITIAL_WORDS as u64;
            way.whitened = r.varint(most, "the number of whitened words")? as usize;
            way.particles = r.varint(MAX_PARTICLES as u64, "the number of particles")? as usize;
        }
        let lean = framing == Framing::Lean;
        let source = Source::read(&mut r, lean.then_some(block_len))?;
        if !body.is_empty() || block_len == 0 {
            return Err(Error::corruption(
                "the header holds values that no encoder writes",
            ));
        }
        // Only the .amat file of no bytes has no shape.
        if source.shape.is_empty() && !matches!(source.layout, Layout::Amat { .. }) {
            return Err(Error::corruption("data without a shape in the header"));
        }
        let header = Self {
            version,
            framing,
            fingerprint,
            model_name,
            model,
            way,
            block_len,
            source,
            stored: Stored::default(),
        };
        header.check().map_err(Error::corruption)?;
        Ok(header)
    }

    /// Checks what fields say together.
    fn check(&self) -> Result<()> {
        self.way.check()?;
        if self.version < self.source.oldest_version() {
            return Err(Error::invalid_argument(format!(
                "data that version {} has in a header of version {}",
                self.source.oldest_version(),
                self.version
            )));
        }
        if self.model.is_some() && self.version < MODEL_SINCE {
            return Err(Error::invalid_argument(format!(
                "a model in a header of version {}; expected version {MODEL_SINCE}",
                self.version
            )));
        }
        let dims = limits::dims(&self.source.shape)?;
        limits::check_block(self.block_len, dims, self.way.unordered)?;
        let independent = self.framing == Framing::Independent;
        let named = matches!(self.source.layout, Layout::Png(_));
        if self.way.unordered && (named || independent) {
            return Err(Error::invalid_argument(
                "a set of PNG files, which have names, or of independent data; expected data in their order",
            ));
        }
        if independent && self.way.particles > 1 {
            return Err(Error::invalid_argument(
                "independent data with particles; expected one particle",
            ));
        }
        Ok(())
    }
}

fn read_byte(input: &mut impl Read, byte: &mut [u8; 1]) -> Result<bool> {
    loop {
        match input.read(byte) {
            Ok(n) => return Ok(n == 1),
            Err(e) if e.kind() == IoErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
}

fn not_ours() -> Error {
    Error::corruption(
        "not a bbans file: it does not start with the magic bytes; expected a file that `bbans compress` wrote",
    )
}
