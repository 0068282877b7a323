//! The chunks of a PNG that are kept with its pixels (PNG, third edition, section 11.3).
//!
//! They are kept as they lie in the file, in their order: those before the pixels, then, if any
//! follow the pixels, a byte 0x80 and those. No chunk starts with that byte, since lengths are
//! below 2^31.

use std::io::Read;

use bbans_core::{Error, Result};

/// Most bytes that are kept of a picture.
pub(super) const MAX_KEPT: usize = 1 << 20;
/// Stands for the pixels.
const PIXELS: u8 = 0x80;
/// Bytes of a chunk besides its data: length, type and CRC.
pub(super) const FRAME: usize = 12;

/// Chunks that must come before the pixels.
const EARLY: [&[u8; 4]; 13] = [
    b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"hIST",
    b"pHYs", b"sPLT", b"tRNS",
];

/// A chunk as it lies in a file: length, type, data, and CRC-32 of type and data.
pub(super) struct Chunk {
    pub(super) kind: [u8; 4],
    pub(super) raw: Vec<u8>,
}

impl Chunk {
    /// The next one; of pixels with at most `pixels` bytes, of others with [`MAX_KEPT`].
    pub(super) fn read(input: &mut impl Read, pixels: usize) -> Result<Self> {
        let mut raw = Vec::new();
        fill(input, &mut raw, 8)?;
        let [l0, l1, l2, l3, kind @ ..] = *raw.first_chunk::<8>().ok_or_else(cut_short)?;
        let data = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if !kind.iter().all(u8::is_ascii_alphabetic) {
            return Err(Error::invalid_argument(format!(
                "a PNG with a chunk of type {kind:02x?}; expected four letters: the file is damaged"
            )));
        }
        let name = name(kind);
        let most = if kind == *b"IDAT" { pixels } else { MAX_KEPT };
        if data.saturating_add(FRAME) > most {
            return Err(Error::invalid_argument(format!(
                "a PNG with {data} bytes in a chunk {name}; expected at most {}",
                most.saturating_sub(FRAME)
            )));
        }
        fill(input, &mut raw, data + 4)?;
        let (body, crc) = raw.split_last_chunk().ok_or_else(cut_short)?;
        let computed = crc32fast::hash(body.get(4..).unwrap_or_default());
        let stored = u32::from_be_bytes(*crc);
        // A fuzzer cannot guess it, and what lies behind it is what is tested.
        if stored != computed && !cfg!(fuzzing) {
            return Err(Error::invalid_argument(format!(
                "a PNG whose chunk {name} does not fit its checksum (stored {stored:08x}, computed \
                 {computed:08x}); the file is damaged"
            )));
        }
        Ok(Self { kind, raw })
    }

    pub(super) fn data(&self) -> &[u8] {
        let end = self.raw.len().saturating_sub(4);
        self.raw.get(8..end).unwrap_or_default()
    }
}

/// Appends `len` bytes; memory grows with what is really there.
fn fill(input: &mut impl Read, raw: &mut Vec<u8>, len: usize) -> Result<()> {
    if input.take(len as u64).read_to_end(raw)? < len {
        return Err(cut_short());
    }
    Ok(())
}

fn cut_short() -> Error {
    Error::invalid_argument("a PNG that ends too early; it was cut short")
}

fn name(kind: [u8; 4]) -> String {
    kind.map(char::from).iter().collect()
}

/// Gathers the chunks to keep.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// Whether the mark of the pixels is among them.
    marked: bool,
}

impl Kept {
    /// Keeps one, of before the pixels or `after` them, or says why it cannot be kept.
    pub(super) fn keep(&mut self, chunk: &Chunk, after: bool) -> Result<()> {
        check(chunk.kind, after)?;
        if after && !self.marked {
            self.marked = true;
            self.bytes.push(PIXELS);
        }
        if self.bytes.len() + chunk.raw.len() > MAX_KEPT {
            return Err(Error::invalid_argument(format!(
                "a PNG with over {MAX_KEPT} bytes of texts, profiles and the like besides its pixels; \
                 expected fewer: remove some"
            )));
        }
        self.bytes.extend(&chunk.raw);
        Ok(())
    }
}

/// The chunks before the pixels and those after them, of bytes that may be anything.
pub(super) fn parse(bytes: &[u8]) -> Result<[Vec<Chunk>; 2]> {
    let bad = |e: Error| Error::corruption("the chunks of a PNG are damaged").because(e);
    let (mut kept, mut chunks) = (Kept::default(), [vec![], vec![]]);
    let (mut rest, mut after) = (bytes, false);
    while let Some(&first) = rest.first() {
        if first == PIXELS && !after {
            after = true;
            rest = &rest[1..];
            continue;
        }
        let chunk = Chunk::read(&mut rest, 0).map_err(bad)?;
        kept.keep(&chunk, after).map_err(bad)?;
        chunks[usize::from(after)].push(chunk);
    }
    // One form for each: no mark that nothing follows.
    if kept.bytes != bytes {
        return Err(Error::corruption(
            "the chunks of a PNG end with the mark of its pixels; expected one after it",
        ));
    }
    Ok(chunks)
}

fn check(kind: [u8; 4], after: bool) -> Result<()> {
    let name = name(kind);
    let [critical, .., unsafe_to_copy] = kind.map(|letter| letter.is_ascii_uppercase());
    let early = EARLY.contains(&&kind);
    let problem = match &kind {
        _ if early && after => format!(
            "a PNG whose chunk {name} comes after the pixels; expected it before them: write the \
             picture anew"
        ),
        b"tIME" => return Ok(()),
        _ if early => return Ok(()),
        b"PLTE" => "a PNG of colour values that suggests a palette, which would be lost; write it \
                    without"
            .into(),
        b"acTL" | b"fcTL" | b"fdAT" => {
            "an animated PNG; expected one picture: give each frame a file".into()
        }
        _ if critical => format!(
            "a PNG with a chunk {name} that is unknown or out of place; expected IHDR, IDAT and IEND"
        ),
        _ if unsafe_to_copy => format!(
            "a PNG with the unknown chunk {name}, which is not marked safe to copy; write the picture \
             without it"
        ),
        _ => return Ok(()),
    };
    Err(Error::invalid_argument(problem))
}
