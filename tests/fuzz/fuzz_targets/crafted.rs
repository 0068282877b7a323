//! Files whose every field is chosen, at its limits too: an error, or the data that they say, in bounded
//! memory. Most fields are right, so that what comes after them is reached.
#![no_main]

use std::io::Write;

use bbans::container::{Header, Packed};
use bbans::{FileModel, LatentModel, VaeModel};
use bbans_fuzz::fields::{Field, put, put_bytes};
use bbans_fuzz::{FINGERPRINTS, MODELS, PICTURES, decode, decode_range};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Crafted<'a> {
    model: u8,
    version: u8,
    flags: u8,
    name: &'a [u8],
    lanes: Field,
    block_len: Field,
    whitened: Field,
    particles: Field,
    /// The model's own shape, or any.
    rank: Field,
    shape: [Field; 3],
    layout: Layout<'a>,
    blocks: Vec<Block<'a>>,
    trailer: Trailer<'a>,
    ranges: [(u8, u8); 2],
}

#[derive(Debug, Arbitrary)]
enum Layout<'a> {
    Prefix {
        kind: u8,
        len: Field,
        bytes: &'a [u8],
    },
    Amat {
        separator: u8,
        flags: u8,
    },
    Png {
        depth: bool,
        single: bool,
        names: Option<Stream<'a>>,
    },
    Values {
        form: u8,
        element: u8,
        flags: u8,
        len: Field,
        prefix: &'a [u8],
    },
    Pictures {
        kind: u8,
        flags: u8,
        names: Option<Stream<'a>>,
        chunks: Option<Stream<'a>>,
    },
    Table {
        flags: u8,
        len: Field,
        header: &'a [u8],
        columns: Field,
        quotes: Vec<(u8, Field)>,
    },
    Other(u8, &'a [u8]),
}

/// Bytes behind their length, as they are or as what a zlib stream holds.
#[derive(Debug, Arbitrary)]
struct Stream<'a> {
    plain: bool,
    len: Field,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct Block<'a> {
    tag: Field,
    count: Field,
    exceptions: Vec<Exception<'a>>,
    exceptions_len: Field,
    scale: Field,
    points: Field,
    initial_words: Field,
    growth: u8,
    bits: Field,
    len: Field,
    /// Whether the symbols are packed.
    packed: bool,
    /// Of independent data, lengths of their messages.
    lens: Vec<Field>,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct Exception<'a> {
    gap: u8,
    far: Field,
    len: Field,
    bytes: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct Trailer<'a> {
    count: Field,
    blocks: Field,
    block: (Field, Field),
    cut: Field,
    rest: &'a [u8],
}

/// Kinds of PNG, the last of which there is not: colour type and depth.
const KINDS: [[u8; 2]; 10] = [
    [0, 1],
    [0, 8],
    [0, 16],
    [2, 8],
    [2, 16],
    [4, 8],
    [4, 16],
    [6, 8],
    [6, 16],
    [3, 8],
];
/// Data in a block, unless another number is chosen.
const BLOCK: usize = 3;
/// Bytes of a block are no more than these.
const MOST: usize = 1 << 14;

fn put_stream(out: &mut Vec<u8>, stream: &Option<Stream<'_>>, right: &[u8]) {
    let right = Stream {
        plain: false,
        len: Field(None),
        bytes: right,
    };
    let stream = stream.as_ref().unwrap_or(&right);
    if stream.plain {
        return put_bytes(out, &stream.len, stream.bytes);
    }
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
    encoder.write_all(stream.bytes).unwrap();
    put_bytes(out, &stream.len, &encoder.finish().unwrap());
}

impl Crafted<'_> {
    /// More often one of the newest models.
    fn model_index(&self) -> usize {
        match usize::from(self.model) {
            n @ 128.. => PICTURES + n % (MODELS.len() - PICTURES),
            n => n % MODELS.len(),
        }
    }

    fn model(&self) -> &'static VaeModel {
        &MODELS[self.model_index()]
    }

    /// More often the newest version.
    fn version(&self) -> u8 {
        match self.version {
            0..32 => 1,
            32..80 => 2,
            _ => 3,
        }
    }

    fn flags(&self) -> u8 {
        if self.version() > 1 {
            self.flags % 16
        } else {
            0
        }
    }

    fn is_lean(&self) -> bool {
        self.flags() & 1 != 0
    }

    /// Data in a block.
    fn count(&self, block: &Block<'_>) -> u64 {
        match self.is_lean() {
            true => self.block_len.or(BLOCK),
            false => block.count.or(BLOCK),
        }
    }

    /// Names of the data, a line each, `folders` with folders.
    fn names(&self, folders: bool) -> String {
        let blocks = if self.is_lean() { 1 } else { self.blocks.len() };
        let folder = if folders { "a/" } else { "" };
        (0..(blocks * BLOCK).min(99))
            .map(|i| format!("{folder}{i:02}.png\n"))
            .collect()
    }

    fn layout_code(&self) -> u8 {
        match &self.layout {
            Layout::Prefix { kind, .. } => [1, 3, 5, 6][usize::from(kind % 4)],
            Layout::Amat { .. } => 2,
            Layout::Png { .. } => 4,
            Layout::Values { .. } => 7,
            Layout::Pictures { .. } => 8,
            Layout::Table { .. } => 9,
            Layout::Other(kind, _) => *kind,
        }
    }

    fn put_layout(&self, out: &mut Vec<u8>) {
        match &self.layout {
            Layout::Prefix { kind, .. } if kind % 4 > 1 => {}
            Layout::Prefix { len, bytes, .. } => put_bytes(out, len, bytes),
            Layout::Amat { separator, flags } => out.extend([*separator, *flags % 5]),
            Layout::Png {
                depth,
                single,
                names,
            } => {
                out.extend([if *depth { 8 } else { 1 }, u8::from(*single)]);
                put_stream(out, names, self.names(false).as_bytes());
            }
            Layout::Values {
                form,
                element,
                flags,
                len,
                prefix,
            } => {
                let element = element % 12 | element & 0x80;
                out.extend([form % 5, element, flags % 5]);
                if flags % 5 & 2 == 0 {
                    put_bytes(out, len, prefix);
                }
            }
            Layout::Pictures {
                kind,
                flags,
                names,
                chunks,
            } => {
                out.extend(KINDS[usize::from(*kind) % KINDS.len()]);
                let flags = flags % 9;
                out.push(flags);
                let right = self.names(flags & 2 != 0);
                put_stream(out, names, right.as_bytes());
                if flags & 4 != 0 {
                    let chunk = b"\x0e\0\0\0\x02tEXta\0\0\0\0\0";
                    let right: Vec<u8> = right.lines().flat_map(|_| chunk).copied().collect();
                    put_stream(out, chunks, &right);
                }
            }
            Layout::Table {
                flags,
                len,
                header,
                columns,
                quotes,
            } => {
                out.push(flags % 9);
                put_bytes(out, len, header);
                let dims = self.model().dims();
                put(out, columns.or(dims));
                let mut left = dims;
                for (i, (kind, run)) in quotes.iter().enumerate() {
                    let last = i + 1 == quotes.len();
                    let right = if last { left } else { left.min(1) };
                    out.push(kind % 6 | kind / 6 % 6 << 4);
                    put(out, run.or(right));
                    left -= right;
                }
                if quotes.is_empty() {
                    out.push(0);
                    put(out, dims as u64);
                }
            }
            Layout::Other(_, bytes) => out.extend(*bytes),
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        if self.version() > 1 {
            body.push(self.flags());
        }
        let known = if self.is_lean() { 8 } else { 32 };
        body.extend(&FINGERPRINTS[self.model_index()][..known]);
        let name = &self.name[..self.name.len().min(255)];
        body.push(name.len() as u8);
        body.extend(name);
        put(&mut body, self.lanes.or(2));
        put(&mut body, self.block_len.or(BLOCK));
        if self.version() > 1 {
            put(&mut body, self.whitened.or(0));
            let right = if self.flags() & 8 != 0 { 2 } else { 1 };
            put(&mut body, self.particles.or(right));
        }
        body.push(self.layout_code());
        let shape = self.model().shape();
        put(&mut body, self.rank.or(shape.len()));
        for (size, &right) in self.shape.iter().zip(shape) {
            put(&mut body, size.or(right));
        }
        self.put_layout(&mut body);
        body
    }

    fn put_block(&self, block: &Block<'_>, out: &mut Vec<u8>) {
        let version = self.version();
        let independent = self.flags() & 4 != 0;
        let packed = block.packed && version > 1;
        let tag = match (independent, packed) {
            (true, _) => 3,
            (false, packed) => 1 + usize::from(packed),
        };
        out.push(block.tag.or(tag) as u8);
        if !self.is_lean() {
            put(out, block.count.or(BLOCK));
        }
        if version > 2 {
            put(out, block.exceptions_len.or(block.exceptions.len()));
            for exception in &block.exceptions {
                put(out, exception.far.or(usize::from(exception.gap % 8)));
                put_bytes(out, &exception.len, exception.bytes);
            }
        }
        if tag == 1 {
            let points = if version > 1 { block.points.or(0) } else { 0 };
            if version > 1 {
                put(out, points);
            }
            if points == 0 {
                put(out, block.initial_words.or(0));
            }
            out.push(block.growth);
        }
        match version {
            1 | 2 => out.push(block.scale.or(1) as u8),
            _ => put(out, block.scale.or(1)),
        }
        self.put_content(block, tag, out);
        // Checksums are not checked under `cfg(fuzzing)`.
        out.extend(&[0; 4][..if self.is_lean() { 0 } else { 4 }]);
    }

    fn put_content(&self, block: &Block<'_>, tag: usize, out: &mut Vec<u8>) {
        let (count, dims) = (self.count(block), self.model().dims());
        let bits = block
            .bits
            .or(Packed::bits_of(self.model().levels()) as usize);
        let packed_len = |count: u64| {
            let symbols = count.saturating_mul(dims as u64);
            let bits = symbols.saturating_mul(bits & 0xff);
            bits.div_ceil(8).min(MOST as u64) as usize
        };
        // The bytes again and again, and in the end a 0: no bits after the last symbol.
        let packed = |len: usize| {
            let bytes = block.bytes.iter().copied().chain([0]).cycle();
            bytes.take(len.saturating_sub(1)).chain([0]).take(len)
        };
        match tag {
            1 => {
                let mut message = block.bytes.to_vec();
                message.resize(message.len().max(4), 1);
                message.push(1);
                if self.version() == 1 {
                    message.resize(message.len().next_multiple_of(4).max(8), 0);
                    put(out, block.len.or(message.len() / 4));
                } else {
                    put(out, block.len.or(message.len()));
                }
                out.extend(message);
            }
            2 => {
                out.push(bits as u8);
                out.extend(packed(packed_len(count)));
            }
            _ => {
                out.push(bits as u8);
                let count = count.min(MOST as u64);
                let mut content = Vec::new();
                for i in 0..count as usize {
                    let len = block.lens.get(i).map_or(0, |len| len.or(0));
                    put(out, len);
                    match len {
                        0 => content.extend(packed(packed_len(1))),
                        len => content.extend((0..len.min(99)).map(|i| i as u8 + 1)),
                    }
                    content.truncate(MOST);
                }
                out.extend(content);
            }
        }
    }

    fn put_trailer(&self, sizes: &[(u64, u64)], out: &mut Vec<u8>) {
        let (trailer, start) = (&self.trailer, out.len());
        if self.is_lean() {
            out.push(trailer.cut.or(0) as u8);
            out.extend([0; 4]);
            out.extend(trailer.rest);
            return;
        }
        out.push(0);
        let count = sizes.iter().fold(0, |n, size| size.0.saturating_add(n));
        put(out, trailer.count.or(count as usize));
        put(out, trailer.blocks.or(sizes.len()));
        for (count, bytes) in sizes {
            put(out, trailer.block.0.or(*count as usize));
            put(out, trailer.block.1.or(*bytes as usize));
        }
        out.push(trailer.cut.or(0) as u8);
        out.extend(trailer.rest);
        // A digest, and a checksum.
        out.extend([0; 32 + 4]);
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
        for block in self.blocks.iter().take(20) {
            let start = out.len();
            self.put_block(block, &mut out);
            sizes.push((block.count.or(BLOCK), (out.len() - start) as u64));
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
    let model = crafted.model();
    let _ = decode(model, &file);
    let _ = bbans::index_of_name(&header, "01.png");
    for (start, len) in crafted.ranges {
        let (start, len) = (u64::from(start % 16), u64::from(len % 16));
        let _ = decode_range(model, &file, start..start + len);
    }
});
