//! Files whose every field is chosen, at its limits too: an error, or the data that they say, in bounded
//! memory.
#![no_main]

use std::io::Write;

use bbans::LatentModel;
use bbans::container::Header;
use bbans::{FileModel, VaeModel};
use bbans_fuzz::{FINGERPRINTS, MODELS, decode, decode_range};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

/// A number: any, or one beside a power of two, where the limits are.
#[derive(Debug, Arbitrary)]
enum Number {
    Small(u8),
    Any(u64),
    Power { exponent: u8, less: bool },
}

impl Number {
    fn value(&self) -> u64 {
        match *self {
            Self::Small(n) => n.into(),
            Self::Any(n) => n,
            Self::Power { exponent, less } => (1u64 << (exponent % 63)) - u64::from(less),
        }
    }
}

#[derive(Debug, Arbitrary)]
struct Crafted<'a> {
    model: u8,
    /// Version 1 without.
    newer: Option<Newer>,
    name: &'a [u8],
    lanes: Number,
    block_len: Number,
    /// The model's own shape, or any.
    shape: Option<Vec<Number>>,
    layout: Layout<'a>,
    blocks: Vec<Block<'a>>,
    trailer: Trailer<'a>,
    ranges: [(u8, u8); 2],
}

/// What version 2 has.
#[derive(Debug, Arbitrary)]
struct Newer {
    /// Whether it is version 3.
    newest: bool,
    flags: u8,
    whitened: Number,
    particles: Number,
    points: Number,
}

#[derive(Debug, Arbitrary)]
enum Layout<'a> {
    Prefix {
        kind: u8,
        len: Option<Number>,
        bytes: &'a [u8],
    },
    Amat {
        separator: u8,
        flags: u8,
    },
    Png {
        depth: u8,
        single: u8,
        names: Stream<'a>,
    },
    Values {
        form: u8,
        element: u8,
        flags: u8,
        prefix: Option<(Option<Number>, &'a [u8])>,
    },
    Pictures {
        color: u8,
        depth: u8,
        flags: u8,
        names: Stream<'a>,
        chunks: Option<Stream<'a>>,
    },
    Table {
        flags: u8,
        len: Option<Number>,
        header: &'a [u8],
        columns: Option<Number>,
        quotes: Vec<(u8, Number)>,
    },
    Other(u8, &'a [u8]),
}

/// Bytes behind their length, as they are or as what a zlib stream holds.
#[derive(Debug, Arbitrary)]
struct Stream<'a> {
    packed: bool,
    len: Option<Number>,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct Block<'a> {
    tag: Option<u8>,
    count: Number,
    exceptions: Vec<Exception<'a>>,
    /// Instead of how many there are.
    exceptions_len: Option<Number>,
    scale: Number,
    content: Content<'a>,
}

#[derive(Debug, Arbitrary)]
struct Exception<'a> {
    gap: Number,
    len: Option<Number>,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary)]
enum Content<'a> {
    Message {
        initial_words: Number,
        growth: u8,
        len: Option<Number>,
        words: &'a [u8],
    },
    /// These bytes again and again, as many as there have to be.
    Packed { bits: u8, bytes: &'a [u8] },
    Independent {
        bits: u8,
        lens: Vec<Number>,
        bytes: &'a [u8],
    },
}

#[derive(Debug, Arbitrary)]
struct Trailer<'a> {
    /// Whether it is what the blocks need.
    right: bool,
    count: Number,
    table: Vec<(Number, Number)>,
    len: Option<Number>,
    rest: &'a [u8],
}

fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// What a length says: what is chosen, or what is right.
fn of(len: &Option<Number>, real: usize) -> u64 {
    match len {
        Some(len) => len.value(),
        None => real as u64,
    }
}

fn put_bytes(out: &mut Vec<u8>, len: &Option<Number>, bytes: &[u8]) {
    put(out, of(len, bytes.len()));
    out.extend(bytes);
}

impl Stream<'_> {
    fn put(&self, out: &mut Vec<u8>) {
        if !self.packed {
            return put_bytes(out, &self.len, self.bytes);
        }
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
        encoder.write_all(self.bytes).unwrap();
        put_bytes(out, &self.len, &encoder.finish().unwrap());
    }
}

impl Layout<'_> {
    fn code(&self) -> u8 {
        match self {
            Self::Prefix { kind, .. } => 1 + 2 * (kind & 1),
            Self::Amat { .. } => 2,
            Self::Png { .. } => 4,
            Self::Values { .. } => 7,
            Self::Pictures { .. } => 8,
            Self::Table { .. } => 9,
            Self::Other(kind, _) => *kind,
        }
    }

    fn put(&self, model: &VaeModel, out: &mut Vec<u8>) {
        match self {
            Self::Prefix { len, bytes, .. } => put_bytes(out, len, bytes),
            Self::Amat { separator, flags } => out.extend([*separator, *flags]),
            Self::Png {
                depth,
                single,
                names,
            } => {
                out.extend([*depth, *single]);
                names.put(out);
            }
            Self::Values {
                form,
                element,
                flags,
                prefix,
            } => {
                out.extend([*form, *element, *flags]);
                if let Some((len, bytes)) = prefix {
                    put_bytes(out, len, bytes);
                }
            }
            Self::Pictures {
                color,
                depth,
                flags,
                names,
                chunks,
            } => {
                out.extend([*color, *depth, *flags]);
                names.put(out);
                chunks.iter().for_each(|chunks| chunks.put(out));
            }
            Self::Table {
                flags,
                len,
                header,
                columns,
                quotes,
            } => {
                out.push(*flags);
                put_bytes(out, len, header);
                put(out, of(columns, model.dims()));
                for (kind, run) in quotes {
                    out.push(*kind);
                    put(out, run.value());
                }
            }
            Self::Other(_, bytes) => out.extend(*bytes),
        }
    }
}

impl Crafted<'_> {
    fn model(&self) -> usize {
        usize::from(self.model) % MODELS.len()
    }

    fn version(&self) -> u8 {
        self.newer.as_ref().map_or(1, |n| 2 + u8::from(n.newest))
    }

    fn is_lean(&self) -> bool {
        self.newer.as_ref().is_some_and(|n| n.flags & 1 != 0)
    }

    fn body(&self) -> Vec<u8> {
        let model = &MODELS[self.model()];
        let newer = self.newer.as_ref();
        let mut body: Vec<u8> = newer.iter().map(|newer| newer.flags % 16).collect();
        let known = if self.is_lean() { 8 } else { 32 };
        body.extend(&FINGERPRINTS[self.model()][..known]);
        let name = &self.name[..self.name.len().min(255)];
        body.push(name.len() as u8);
        body.extend(name);
        put(&mut body, self.lanes.value());
        put(&mut body, self.block_len.value());
        if let Some(newer) = newer {
            put(&mut body, newer.whitened.value());
            put(&mut body, newer.particles.value());
        }
        body.push(self.layout.code());
        let shape: Vec<u64> = match &self.shape {
            None => model.shape().iter().map(|&size| size as u64).collect(),
            Some(shape) => shape.iter().map(Number::value).collect(),
        };
        put(&mut body, shape.len() as u64);
        shape.iter().for_each(|&size| put(&mut body, size));
        self.layout.put(model, &mut body);
        body
    }

    fn put_block(&self, block: &Block<'_>, out: &mut Vec<u8>) {
        let (version, lean) = (self.version(), self.is_lean());
        let points = self.newer.as_ref().map_or(0, |newer| newer.points.value());
        out.push(block.tag.unwrap_or(match &block.content {
            Content::Message { .. } => 1,
            Content::Packed { .. } => 2,
            Content::Independent { .. } => 3,
        }));
        if !lean {
            put(out, block.count.value());
        }
        if version > 2 {
            put(out, of(&block.exceptions_len, block.exceptions.len()));
            for exception in &block.exceptions {
                put(out, exception.gap.value());
                put_bytes(out, &exception.len, exception.bytes);
            }
        }
        if let Content::Message {
            initial_words,
            growth,
            ..
        } = &block.content
        {
            if version > 1 {
                put(out, points);
            }
            if points == 0 || version == 1 {
                put(out, initial_words.value());
            }
            out.push(*growth);
        }
        match version {
            1 | 2 => out.push(block.scale.value() as u8),
            _ => put(out, block.scale.value()),
        }
        match &block.content {
            Content::Message { len, words, .. } => {
                let unit = if version == 1 { 4 } else { 1 };
                put(out, of(len, words.len() / unit));
                out.extend(*words);
            }
            Content::Packed { bits, bytes } => {
                out.push(*bits);
                let count = if lean { &self.block_len } else { &block.count }.value();
                let dims = MODELS[self.model()].dims() as u64;
                let bits = count.saturating_mul(dims).saturating_mul(u64::from(*bits));
                let bytes = bytes.iter().chain([&0]).cycle();
                out.extend(bytes.take(bits.div_ceil(8).min(1 << 12) as usize));
            }
            Content::Independent { bits, lens, bytes } => {
                out.push(*bits);
                lens.iter().for_each(|len| put(out, len.value()));
                out.extend(*bytes);
            }
        }
        // Checksums are not checked under `cfg(fuzzing)`.
        out.extend(&[0; 4][..if lean { 0 } else { 4 }]);
    }

    fn put_trailer(&self, sizes: &[(u64, u64)], out: &mut Vec<u8>) {
        let trailer = &self.trailer;
        let start = out.len();
        out.push(0);
        if !trailer.right {
            put(out, trailer.count.value());
            put(out, of(&trailer.len, trailer.table.len()));
            for (count, bytes) in &trailer.table {
                put(out, count.value());
                put(out, bytes.value());
            }
            out.extend(trailer.rest);
            return;
        }
        put(
            out,
            sizes.iter().fold(0, |n, size| size.0.saturating_add(n)),
        );
        put(out, sizes.len() as u64);
        for (count, bytes) in sizes {
            put(out, *count);
            put(out, *bytes);
        }
        // No cut, a digest, and a checksum.
        out.extend([0; 1 + 32 + 4]);
        let len = (out.len() + 8 - start) as u32;
        out.extend(len.to_le_bytes());
        out.extend(b"snab");
    }

    fn to_bytes(&self) -> Vec<u8> {
        let body = self.body();
        let mut out = b"\x89bbans\r\n".to_vec();
        out.push(self.version());
        match self.version() {
            1 => out.extend((body.len() as u32).to_le_bytes()),
            _ => put(&mut out, body.len() as u64),
        }
        out.extend(body);
        out.extend(&[0; 4][..if self.is_lean() { 0 } else { 4 }]);
        let mut sizes = Vec::new();
        for block in &self.blocks {
            let start = out.len();
            self.put_block(block, &mut out);
            sizes.push((block.count.value(), (out.len() - start) as u64));
        }
        self.put_trailer(&sizes, &mut out);
        out
    }
}

fuzz_target!(|crafted: Crafted<'_>| {
    let file = crafted.to_bytes();
    let Ok(Some(header)) = Header::read(&mut file.as_slice()) else {
        return;
    };
    // A header that is read is one that is written.
    let written = header.to_bytes().unwrap();
    assert_eq!(
        Header::read(&mut written.as_slice()).unwrap().as_ref(),
        Some(&header)
    );
    let model = &MODELS[crafted.model()];
    let _ = decode(model, &file);
    let _ = bbans::index_of_name(&header, "a.png");
    for (start, len) in crafted.ranges {
        let (start, len) = (u64::from(start), u64::from(len));
        let _ = decode_range(model, &file, start..start + len);
    }
});
