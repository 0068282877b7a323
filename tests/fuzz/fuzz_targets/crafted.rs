//! Files whose every field is chosen, at its limits too: an error, or the data that they say, in bounded
//! memory.
#![no_main]

use bbans::LatentModel;
use bbans::container::Header;
use bbans_fuzz::{MODELS, decode};
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
}

/// What version 2 has.
#[derive(Debug, Arbitrary)]
struct Newer {
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
        len: Option<Number>,
        names: &'a [u8],
    },
    Other(u8, &'a [u8]),
}

#[derive(Debug, Arbitrary)]
struct Block<'a> {
    tag: Option<u8>,
    count: Number,
    initial_words: Number,
    growth: u8,
    scale: u8,
    len: Option<Number>,
    words: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct Trailer<'a> {
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

impl Crafted<'_> {
    fn to_bytes(&self) -> Vec<u8> {
        let model = &MODELS[usize::from(self.model) % MODELS.len()];
        let newer = self.newer.as_ref();
        let lean = newer.is_some_and(|newer| newer.flags & 1 != 0);
        let mut body: Vec<u8> = newer.iter().map(|newer| newer.flags % 16).collect();
        body.resize(body.len() + if lean { 8 } else { 32 }, 0);
        let name = &self.name[..self.name.len().min(255)];
        body.push(name.len() as u8);
        body.extend(name);
        put(&mut body, self.lanes.value());
        put(&mut body, self.block_len.value());
        if let Some(newer) = newer {
            put(&mut body, newer.whitened.value());
            put(&mut body, newer.particles.value());
        }
        body.push(match self.layout {
            Layout::Prefix { kind, .. } => 1 + 2 * (kind & 1),
            Layout::Amat { .. } => 2,
            Layout::Png { .. } => 4,
            Layout::Other(kind, _) => kind,
        });
        match &self.shape {
            None => {
                put(&mut body, 2);
                put(&mut body, 6);
                put(&mut body, (model.dims() / 6) as u64);
            }
            Some(shape) => {
                put(&mut body, shape.len() as u64);
                shape.iter().for_each(|size| put(&mut body, size.value()));
            }
        }
        let of = |len: &Option<Number>, real: usize| match len {
            Some(len) => len.value(),
            None => real as u64,
        };
        match &self.layout {
            Layout::Prefix { len, bytes, .. } => {
                put(&mut body, of(len, bytes.len()));
                body.extend(*bytes);
            }
            Layout::Amat { separator, flags } => body.extend([*separator, *flags]),
            Layout::Png {
                depth,
                single,
                len,
                names,
            } => {
                body.extend([*depth, *single]);
                put(&mut body, of(len, names.len()));
                body.extend(*names);
            }
            Layout::Other(_, bytes) => body.extend(*bytes),
        }
        let mut out = b"\x89bbans\r\n".to_vec();
        match newer {
            None => {
                out.push(1);
                out.extend((body.len() as u32).to_le_bytes());
            }
            Some(_) => {
                out.push(2);
                put(&mut out, body.len() as u64);
            }
        }
        out.extend(body);
        // Checksums are not checked under `cfg(fuzzing)`.
        let checksum: &[u8] = if lean { &[] } else { &[0; 4] };
        out.extend(checksum);
        for block in &self.blocks {
            out.push(block.tag.unwrap_or(1));
            if !lean {
                put(&mut out, block.count.value());
            }
            let unit = match newer {
                None => 4,
                Some(newer) => {
                    put(&mut out, newer.points.value());
                    1
                }
            };
            if newer.is_none_or(|newer| newer.points.value() == 0) {
                put(&mut out, block.initial_words.value());
            }
            out.extend([block.growth, block.scale]);
            put(&mut out, of(&block.len, block.words.len() / unit));
            out.extend(block.words);
            out.extend(checksum);
        }
        out.push(0);
        put(&mut out, self.trailer.count.value());
        put(&mut out, of(&self.trailer.len, self.trailer.table.len()));
        for (count, bytes) in &self.trailer.table {
            put(&mut out, count.value());
            put(&mut out, bytes.value());
        }
        out.extend(self.trailer.rest);
        out
    }
}

fuzz_target!(|crafted: Crafted<'_>| {
    let file = crafted.to_bytes();
    if let Ok(Some(header)) = Header::read(&mut file.as_slice()) {
        // A header that is read is one that is written.
        let written = header.to_bytes().unwrap();
        assert_eq!(Header::read(&mut written.as_slice()).unwrap(), Some(header));
    }
    let _ = decode(&MODELS[usize::from(crafted.model) % MODELS.len()], &file);
});
