//! Few bytes that promise much: refused, or done, in little memory.

use std::io::Write;

use super::{gzip, with_data};
use crate::Folder;

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// CRC-32, bit by bit: the checksum of the container and of PNG.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| {
            c >> 1 ^ if c & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

fn zlib(chunks: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut z = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    chunks.for_each(|chunk| z.write_all(&chunk).unwrap());
    z.finish().unwrap()
}

/// A member's header for the golden model, and what follows it.
fn file(lanes: u64, block_len: u64, source: &[u8], parts: &[u8]) -> Vec<u8> {
    let fingerprint = include_str!("../../golden/tiny.fingerprint").trim();
    let digits = |i: usize| u8::from_str_radix(&fingerprint[i..i + 2], 16).unwrap();
    let mut body: Vec<u8> = (0..64).step_by(2).map(digits).collect();
    body.extend(b"\x04tiny");
    varint(&mut body, lanes);
    varint(&mut body, block_len);
    body.extend(source);
    let mut out = b"\x89bbans\r\n\x01".to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    let sum = crc(&out);
    out.extend(sum.to_le_bytes());
    out.extend(parts);
    out
}

/// .amat of a shape.
fn amat_source(shape: &[u64]) -> Vec<u8> {
    let mut source = vec![2, shape.len() as u8];
    shape.iter().for_each(|&d| varint(&mut source, d));
    source.extend([b' ', 0]);
    source
}

/// PNG files of the golden model's shape with these names, compressed.
fn png_source(names: &[u8]) -> Vec<u8> {
    let mut source = vec![4, 2, 6, 5, 8, 0];
    varint(&mut source, names.len() as u64);
    source.extend(names);
    source
}

/// Runs a command that must fail with one line, in an address space of 400 MB: what it maps and does not
/// touch counts too.
fn refused(folder: &Folder, words: &str, expected: &str) {
    let before = folder.state();
    #[cfg(target_os = "linux")]
    let outcome = folder.sh(&format!(
        "ulimit -v 400000; $BBANS {words} -m tiny.safetensors --threads 2"
    ));
    #[cfg(not(target_os = "linux"))]
    let outcome = folder.run(&format!("{words} -m tiny.safetensors --threads 2"));
    assert_eq!(outcome.code, Some(1), "{words}: {}", outcome.stderr);
    let told = &outcome.stderr;
    assert!(told.contains(expected), "{words}: {expected:?} in {told}");
    assert_eq!(told.lines().count(), 1, "{words}: {told}");
    assert_eq!(folder.state(), before, "{words}");
}

#[test]
fn names_are_checked_while_they_are_read() {
    let folder = Folder::new();
    let lines = |line: &'static str| {
        (0..1 << 12).map(move |_| line.repeat((1 << 16) / line.len()).into_bytes())
    };
    // 2^28 bytes: empty names; one name again and again; one that does not end.
    for line in ["\n", "a\n", "a"] {
        folder.write("x.bbans", file(1, 1, &png_source(&zlib(lines(line))), &[]));
        refused(&folder, "test x.bbans", "names");
    }
    // Names in order, so many that they are beyond the limit.
    let ascending = (0..400u32).map(|block| {
        let names = (0..10_000).map(|i| format!("{:08}.png\n", 10_000 * block + i));
        names.collect::<String>().into_bytes()
    });
    folder.write("x.bbans", file(1, 1, &png_source(&zlib(ascending)), &[]));
    refused(&folder, "test x.bbans", "names");
}

#[test]
fn pictures_are_no_larger_than_they_say() {
    let folder = Folder::new();
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        let mut out = (data.len() as u32).to_be_bytes().to_vec();
        out.extend(&body);
        out.extend(crc(&body).to_be_bytes());
        out
    };
    let start = |width: u32, height: u32, depth: u8| {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([depth, 0, 0, 0, 0]);
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header)].concat()
    };
    // A gzip that begins like a PNG and goes on for 6 GiB.
    let zeros = std::iter::repeat_n(vec![0; 1 << 20], 6 << 10);
    let gz = gzip([start(5, 6, 8)].into_iter().chain(zeros));
    folder.write("x.png.gz", gz);
    refused(&folder, "compress x.png.gz", "expected four letters");
    // No pixels, in very many rows.
    let zeros = std::iter::repeat_n(vec![0; 1 << 20], 2 << 10);
    folder.write(
        "x.png.gz",
        gzip([start(0, u32::MAX, 8)].into_iter().chain(zeros)),
    );
    refused(&folder, "compress x.png.gz", "expected at least one");
    // 2^31 pixels of one bit.
    let rows = (0..1 << 12).map(|_| vec![0; (1 << 16) + 8]);
    let mut bits = start(1 << 19, 1 << 12, 1);
    bits.extend(chunk(b"IDAT", &zlib(rows)));
    bits.extend(chunk(b"IEND", &[]));
    folder.write("x.png", bits);
    refused(&folder, "compress x.png", "the limit is 16777216");
}

#[cfg(unix)]
#[test]
fn links_to_devices_and_pipes_in_a_folder_are_refused() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("set")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path("set/a.png")).unwrap();
    refused(&folder, "compress set", "no regular file");
    std::fs::remove_file(folder.path("set/a.png")).unwrap();
    assert_eq!(folder.sh("mkfifo set/a.png").code, Some(0));
    refused(&folder, "compress set", "no regular file");
}

#[test]
fn blocks_hold_what_their_data_need() {
    let folder = Folder::new();
    let block = |count: u64, initial: u64, len: u64| {
        let mut out = vec![1];
        varint(&mut out, count);
        varint(&mut out, initial);
        out.extend([64, 1]);
        varint(&mut out, len);
        out
    };
    // 64 GiB in one block: 65,536 data of 2^20 values.
    let promise = file(
        1,
        65_536,
        &amat_source(&[1 << 20]),
        &block(65_536, 2, 30_000),
    );
    folder.write("x.bbans", [promise, vec![0; 120_000]].concat());
    refused(&folder, "test x.bbans", "limit is 4194304 values");
    folder.fails("inspect x.bbans", &["limit is 4194304 values"]);
    // The same without a shape, as only a file of no bytes has it.
    for kind in [1, 2] {
        let source = [kind, 0, 0, 0];
        let promise = file(
            1,
            65_536,
            &source[..if kind == 1 { 3 } else { 4 }],
            &block(65_536, 2, 30_000),
        );
        folder.write("x.bbans", [promise, vec![0; 120_000]].concat());
        refused(&folder, "test x.bbans", "shape");
    }
    // Blocks of nothing, of which each would be told at length.
    let mut empty = block(1, 0, 0);
    empty.extend(crc(&empty).to_le_bytes());
    let many = file(1, 1, &amat_source(&[30]), &empty.repeat(300_000));
    folder.write("x.bbans", many);
    refused(&folder, "test x.bbans", "no encoder writes");
    // 3 GB of words for one datum, of which a part is there.
    let promise = file(64, 1, &amat_source(&[30]), &block(1, 3, 750_000_000));
    folder.write("x.bbans", [promise, vec![0; 1 << 20]].concat());
    refused(&folder, "test x.bbans", "a block's length");
    // A datum too large for the version, and a shape whose product overflows.
    for shape in [&[1 << 25][..], &[1 << 32, 1 << 32]] {
        folder.write("x.bbans", file(1, 1, &amat_source(shape), &[]));
        refused(&folder, "test x.bbans", "the limit is 16777216 values");
    }
    // A header of 4 GiB.
    let mut header = file(1, 1, &amat_source(&[30]), &[]);
    header[9..13].copy_from_slice(&u32::MAX.to_le_bytes());
    folder.write("x.bbans", header);
    refused(&folder, "test x.bbans", "a header of 4294967295 bytes");
}

/// The checksum of a lean file is of the bytes that its header has, not of those that this program would have written:
/// another zlib packs names otherwise.
#[test]
fn names_that_are_packed_otherwise_are_as_good() {
    let folder = super::with_png_set(3);
    let file = folder.read("set.bbans");
    let start = file.windows(2).rposition(|w| w == b"\x78\xda").unwrap();
    let header_len = 10 + usize::from(file[9]);
    assert_eq!(usize::from(file[start - 1]), header_len - start);
    // Even bits are packed: the checksum comes last.
    let (body, checksum) = file.split_at(file.len() - 4);
    let names = zlib([b"00000.png\n00001.png\n00002.png\n".to_vec()].into_iter());
    assert_ne!(names, file[start..header_len]);
    let mut header = file[..start].to_vec();
    header[start - 1] = names.len() as u8;
    header[9] = (start - 10 + names.len()) as u8;
    header.extend(names);
    let checksum = u32::from_le_bytes(checksum.try_into().unwrap());
    let other = checksum ^ crc(&file[..header_len]) ^ crc(&header);
    let other = [&header, &body[header_len..], &other.to_le_bytes()].concat();
    folder.write("other.bbans", other);
    folder.ok("decompress set.bbans -o a -m tiny.safetensors");
    folder.ok("decompress other.bbans -o b -m tiny.safetensors");
    let read = |set: &str| folder.read(&format!("{set}/00002.png"));
    assert_eq!(read("a"), read("b"));
}

#[test]
fn many_members_take_one_model() {
    let folder = Folder::new();
    folder.write("empty.amat", "");
    folder.ok("compress empty.amat -q --format 1");
    let member = folder.read("empty.amat.bbans");
    folder.write("many.bbans", member.repeat(200));
    let tested = folder.ok("test many.bbans");
    assert_eq!(tested.stdout, b"many.bbans: ok, 0 data\n");
    // With a name that is none, and with another model's name.
    let name = member.windows(5).position(|w| w == b"mnist").unwrap();
    let mut foreign = member.clone();
    foreign[name] = b'M';
    let end = foreign.len();
    let header_len = 13 + u32::from_le_bytes(foreign[9..13].try_into().unwrap()) as usize;
    let sum = crc(&foreign[..header_len]);
    foreign[header_len..header_len + 4].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(foreign.len(), end);
    folder.write("foreign.bbans", foreign.repeat(200));
    folder.ok("test foreign.bbans");
}

/// The work for a datum is bounded by a model's weights and dimensions, not by its text.
#[test]
fn a_model_of_few_weights_may_not_be_much_work() {
    use bbans::nn::Layer;
    let mut model = crate::support::causal_model_file("cells", 11);
    crate::support::chains(&mut model)
        .decoder
        .iter_mut()
        .for_each(|layer| {
            if let Layer::Cells { count, .. } = layer {
                *count = 31;
            }
        });
    let folder = with_data(1);
    folder.write("cells.safetensors", model.to_bytes().unwrap());
    folder.fails(
        "compress x -f -m cells.safetensors",
        &["31 cells", "30 dimensions"],
    );
    let mut model = crate::support::tiny_model_file("long", 1);
    crate::support::chains(&mut model)
        .decoder
        .splice(1..1, vec![Layer::Relu; 1000]);
    folder.write("long.safetensors", model.to_bytes().unwrap());
    folder.fails(
        "compress x -f -m long.safetensors",
        &["layers without weights"],
    );
}
