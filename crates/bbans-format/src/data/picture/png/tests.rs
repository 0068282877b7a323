use bbans_core::ErrorKind;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use proptest::prelude::*;

use super::*;

const KINDS: [(Color, u8); 9] = [
    (Color::Grey, 1),
    (Color::Grey, 8),
    (Color::Grey, 16),
    (Color::GreyAlpha, 8),
    (Color::GreyAlpha, 16),
    (Color::Rgb, 8),
    (Color::Rgb, 16),
    (Color::Rgba, 8),
    (Color::Rgba, 16),
];

const EARLY: [&[u8; 4]; 13] = [
    b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"sBIT", b"bKGD", b"pHYs",
    b"tRNS", b"sPLT", b"hIST",
];
const ANYWHERE: [&[u8; 4]; 6] = [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"eXIf", b"abCd"];

fn raw(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [kind.as_slice(), data].concat();
    let crc = crc32fast::hash(&body).to_be_bytes();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc].concat()
}

fn ihdr(width: u32, height: u32, rest: [u8; 5]) -> Vec<u8> {
    let data = [&width.to_be_bytes()[..], &height.to_be_bytes(), &rest];
    raw(b"IHDR", &data.concat())
}

fn color_type(color: Color) -> u8 {
    match color {
        Color::Grey => 0,
        Color::Rgb => 2,
        Color::GreyAlpha => 4,
        Color::Rgba => 6,
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A PNG of these chunks between the size and the end.
fn file(first: Vec<u8>, chunks: &[Vec<u8>]) -> Vec<u8> {
    [MAGIC.to_vec(), first, chunks.concat(), raw(b"IEND", b"")].concat()
}

/// A grey pixel of 8 bits among these chunks.
fn pixel(before: &[Vec<u8>], after: &[Vec<u8>]) -> Vec<u8> {
    let idat = [raw(b"IDAT", &zlib(&[0, 77]))];
    file(
        ihdr(1, 1, [8, 0, 0, 0, 0]),
        &[before, &idat, after].concat(),
    )
}

fn encoded(p: &Picture) -> Vec<u8> {
    let mut bytes = vec![];
    encode(&mut bytes, &p.shape, p.kind, &p.chunks, &p.values).unwrap();
    bytes
}

fn message(bytes: &[u8]) -> String {
    format!("{:#}", decode(bytes).unwrap_err())
}

/// The same picture in the seven passes of Adam7, without filters.
fn interlaced(p: &Picture) -> Vec<u8> {
    let (height, width) = (p.shape[0], p.shape[1]);
    let channels = p.kind.color.channels();
    let (samples, _) = p.kind.samples().unwrap();
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let mut data = vec![];
    for (x0, y0, dx, dy) in passes {
        if x0 >= width {
            continue;
        }
        for y in (y0..height).step_by(dy) {
            let pixel = |x: usize| &p.values[(y * width + x) * channels..][..channels];
            let row: Vec<u16> = (x0..width).step_by(dx).flat_map(pixel).copied().collect();
            data.push(0);
            data.extend(samples.pack(&row, row.len()));
        }
    }
    let rest = [p.kind.depth, color_type(p.kind.color), 0, 0, 1];
    let idat = raw(b"IDAT", &zlib(&data));
    file(ihdr(width as u32, height as u32, rest), &[idat])
}

/// Makes the checksums of all chunks fit, as far as these are chunks.
fn reseal(bytes: &mut [u8]) {
    let mut at = MAGIC.len();
    while let Some(length) = bytes.get(at..at + 4) {
        let length = length.iter().fold(0, |n, &b| n << 8 | usize::from(b));
        let end = at + 8 + length;
        let Some(body) = bytes.get(at + 4..end) else {
            return;
        };
        let crc = crc32fast::hash(body).to_be_bytes();
        let Some(place) = bytes.get_mut(end..end + 4) else {
            return;
        };
        place.copy_from_slice(&crc);
        at = end + 4;
    }
}

prop_compose! {
    fn chunks()(
        early in prop::collection::vec((0..EARLY.len() + ANYWHERE.len(), any::<Vec<u8>>()), 0..4),
        late in prop::collection::vec((0..ANYWHERE.len(), any::<Vec<u8>>()), 0..3),
    ) -> Vec<u8> {
        let all = [&ANYWHERE[..], &EARLY].concat();
        let mut bytes: Vec<u8> = early.iter().flat_map(|(i, data)| raw(all[*i], data)).collect();
        if !late.is_empty() {
            bytes.push(0x80);
        }
        bytes.extend(late.iter().flat_map(|(i, data)| raw(ANYWHERE[*i], data)));
        bytes
    }
}

prop_compose! {
    fn picture()(
        (color, depth) in prop::sample::select(&KINDS[..]),
        height in 1usize..20,
        width in 1usize..20,
        chunks in chunks(),
    )(
        values in prop::collection::vec(any::<u16>(), height * width * color.channels()),
        kind in Just(Kind { color, depth }),
        height in Just(height),
        width in Just(width),
        chunks in Just(chunks),
    ) -> Picture {
        let size = Size::new(width as u32, height as u32, kind).unwrap();
        let values = values.iter().map(|v| v >> (16 - kind.depth)).collect();
        Picture { shape: size.shape(), kind, values, chunks }
    }
}

proptest! {
    #[test]
    fn pictures_come_back(p in picture()) {
        prop_assert_eq!(decode(&encoded(&p)[..]).unwrap(), p);
    }

    #[test]
    fn interlaced_pictures_are_read(p in picture()) {
        let p = Picture { chunks: vec![], ..p };
        prop_assert_eq!(decode(&interlaced(&p)[..]).unwrap(), p);
    }

    #[test]
    fn damage_is_an_error_or_another_picture(
        p in picture(),
        at in any::<prop::sample::Index>(),
        to in any::<u8>(),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
        woven in any::<bool>(),
    ) {
        let mut bytes = if woven { interlaced(&p) } else { encoded(&p) };
        let at = at.index(bytes.len());
        let unchanged = bytes[at] == to;
        bytes[at] = to;
        prop_assert!(unchanged || decode(&bytes[..]).is_err());
        reseal(&mut bytes);
        if cut {
            bytes.truncate(end.index(bytes.len()));
            prop_assert!(decode(&bytes[..]).is_err());
        } else if let Ok(p) = decode(&bytes[..]) {
            prop_assert_eq!(decode(&encoded(&p)[..]).unwrap(), p);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), values in any::<Vec<u16>>()) {
        let _ = decode(&bytes[..]);
        let _ = decode(&[MAGIC.as_slice(), &bytes].concat()[..]);
        let mut body = pixel(&[], &[]);
        body.splice(33..33, bytes.iter().copied());
        reseal(&mut body);
        let _ = decode(&body[..]);
        let kind = Kind { color: Color::Grey, depth: 16 };
        if !values.is_empty() {
            let written = encode(&mut vec![], &[1, values.len()], kind, &bytes, &values);
            prop_assert!(bytes.is_empty() || written.unwrap_err().kind() == ErrorKind::Corruption);
        }
    }

    #[test]
    fn any_shape_is_written_or_corrupt(
        shape in prop::collection::vec(any::<usize>(), 0..5),
        kind in prop::sample::select(&KINDS[..]),
        depth in any::<u8>(),
    ) {
        for depth in [depth, kind.1] {
            let written = encode(&mut vec![], &shape, Kind { color: kind.0, depth }, &[], &[]);
            prop_assert_eq!(written.unwrap_err().kind(), ErrorKind::Corruption);
        }
    }
}

#[test]
fn every_kept_chunk_comes_back_where_it_stood() {
    let early: Vec<_> = EARLY.iter().map(|kind| raw(kind, b"data")).collect();
    let late: Vec<_> = ANYWHERE.iter().map(|kind| raw(kind, b"")).collect();
    for (before, after) in [(&early, &late), (&late, &vec![]), (&vec![], &late)] {
        let p = decode(&pixel(before, after)[..]).unwrap();
        assert_eq!((&p.values[..], &p.shape[..]), (&[77][..], &[1, 1][..]));
        let mark = vec![0x80; usize::from(!after.is_empty())];
        assert_eq!(p.chunks, [before.concat(), mark, after.concat()].concat());
        assert_eq!(decode(&encoded(&p)[..]).unwrap(), p);
    }
}

#[test]
fn pixels_are_not_changed_by_other_chunks() {
    // A gamma of 0.1, one significant bit, and 77 transparent.
    let before = [
        raw(b"gAMA", &10_000u32.to_be_bytes()),
        raw(b"sBIT", &[1]),
        raw(b"tRNS", &[0, 77]),
    ];
    let p = decode(&pixel(&before, &[])[..]).unwrap();
    assert_eq!((p.values, p.shape), (vec![77], vec![1, 1]));
}

#[test]
fn what_would_be_lost_is_refused() {
    let text = raw(b"tEXt", b"a\0b");
    let pixels = zlib(&[0, 77]);
    let halves = [&pixels[..4], &pixels[4..]].map(|half| raw(b"IDAT", half));
    let amid = [halves[0].clone(), text.clone(), halves[1].clone()];
    let first = ihdr(1, 1, [8, 0, 0, 0, 0]);
    let mut damaged = pixel(std::slice::from_ref(&text), &[]);
    damaged[33 + 9] ^= 1;
    for (bytes, expected) in [
        (
            file(ihdr(1, 1, [8, 3, 0, 0, 0]), &[]),
            "a PNG with a palette;",
        ),
        (file(ihdr(1, 1, [4, 0, 0, 0, 0]), &[]), "of 4 bits a value"),
        (file(ihdr(1, 1, [1, 2, 0, 0, 0]), &[]), "of 1 bits a value"),
        (file(ihdr(1, 1, [8, 5, 0, 0, 0]), &[]), "colour type 5"),
        (file(ihdr(0, 1, [8, 0, 0, 0, 0]), &[]), "0 by 1 pixels"),
        (
            file(ihdr(1 << 13, 1 << 12, [8, 0, 0, 0, 0]), &[]),
            "the limit is",
        ),
        (
            file(ihdr(u32::MAX, u32::MAX, [16, 6, 0, 0, 0]), &[]),
            "the limit is",
        ),
        (file(first.clone(), &[]), "not a readable PNG"),
        (file(first.clone(), &amid), "amid its pixels"),
        (pixel(&[raw(b"acTL", &[0; 8])], &[]), "animated"),
        (pixel(&[raw(b"PLTE", &[0; 6])], &[]), "suggests a palette"),
        (pixel(&[], &[raw(b"gAMA", &[0; 4])]), "after the pixels"),
        (pixel(&[raw(b"ABCD", b"")], &[]), "unknown or out of place"),
        (pixel(&[first], &[]), "unknown or out of place"),
        (pixel(&[raw(b"abCD", b"")], &[]), "not marked safe to copy"),
        (pixel(&[raw(b"ab-d", b"")], &[]), "expected four letters"),
        (pixel(&[raw(b"IEND", b"x")], &[]), "unknown or out of place"),
        (
            pixel(&vec![raw(b"tEXt", &[0; 1 << 19]); 2], &[]),
            "besides its pixels",
        ),
        (
            pixel(&[raw(b"tEXt", &[0; 1 << 21])], &[]),
            "in a chunk tEXt",
        ),
        (
            pixel(&vec![raw(b"IDAT", b""); 1 << 17], &[]),
            "in a chunk IDAT",
        ),
        ([pixel(&[], &[]), vec![0]].concat(), "data after its end"),
        (damaged, "does not fit its checksum"),
        (b"GIF89a".to_vec(), "no PNG"),
        (MAGIC.to_vec(), "cut short"),
    ] {
        let found = message(&bytes);
        assert!(found.contains(expected), "{found} is not {expected}");
    }
}

#[test]
fn forged_chunks_and_values_are_corrupt() {
    let text = raw(b"tEXt", b"a\0b");
    let mut damaged = text.clone();
    damaged[9] ^= 1;
    let kind = Kind {
        color: Color::Grey,
        depth: 8,
    };
    for chunks in [
        damaged,
        text[..text.len() - 1].to_vec(),
        vec![0x80],
        [vec![0x80], raw(b"gAMA", &[0; 4])].concat(),
        [&[0x80], &text[..], &[0x80], &text[..]].concat(),
        [&text[..], &[0x80]].concat(),
        raw(b"IDAT", b""),
        raw(b"IEND", b""),
        raw(b"PLTE", &[0; 3]),
        raw(b"tEXt", &[0; 1 << 20]),
        vec![0; 12],
        vec![0xff; 12],
    ] {
        let mut out = vec![];
        let e = encode(&mut out, &[1, 1], kind, &chunks, &[1]).unwrap_err();
        assert_eq!((e.kind(), out.len()), (ErrorKind::Corruption, 0), "{e:#}");
    }
    for (shape, values) in [
        (&[1, 1][..], &[256][..]),
        (&[1, 1], &[]),
        (&[1, 2], &[1]),
        (&[0, 1], &[]),
        (&[1, 1, 1], &[1]),
        (&[1], &[1]),
    ] {
        let e = encode(&mut vec![], shape, kind, &[], values).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corruption);
    }
}
