//! Every built-in rival on small data of each kind.

use std::num::NonZeroUsize;

use super::{Contender, Outcome, Which, measure};
use crate::support::rows::DataSet;

/// Data with a pattern, in which neighbours are alike.
fn data(shape: &[usize], count: usize, levels: u32) -> DataSet {
    let dims: usize = shape.iter().product();
    let value = |i: usize| {
        let wave = (i as f64 / 9.0).sin() * 0.4 + 0.5;
        (wave * f64::from(levels - 1)) as u16 ^ u16::from(i.is_multiple_of(11))
    };
    DataSet {
        shape: shape.to_vec(),
        symbols: (0..count * dims).map(value).collect(),
        ..DataSet::default()
    }
}

fn measured(which: Which, data: &DataSet, levels: usize, text: Option<&[u8]>) -> Vec<Contender> {
    measure(which, data, levels, text, NonZeroUsize::MIN, &mut |_, _| {}).unwrap()
}

/// Checks that just the rivals of `names` have files; those not installed may lack them.
fn check(contenders: &[Contender], names: &[&str]) {
    for c in contenders {
        match &c.outcome {
            Outcome::Measured { bytes, tried, .. } => {
                assert!(names.contains(&c.name), "{}", c.name);
                assert!(*bytes > 0 && *tried > 0);
            }
            Outcome::NotApplicable => assert!(!names.contains(&c.name), "{}", c.name),
            Outcome::NotInstalled(_) => {}
            Outcome::Failed(why) => panic!("{}: {why}", c.name),
        }
    }
}

const STREAMS: [&str; 6] = [
    "gzip -9",
    "bzip2 -9",
    "xz -9e",
    "zstd -22",
    "brotli -q 11",
    "zpaq -m5",
];

fn with_streams<'a>(names: &[&'a str]) -> Vec<&'a str> {
    STREAMS.iter().chain(names).copied().collect()
}

#[test]
fn pictures_of_8_bits_are_taken_by_all_image_formats() {
    let names = with_streams(&["PNG", "WebP lossless -z 9", "JPEG XL"]);
    for channels in [1, 2, 3, 4] {
        let shape = [6, 9, channels];
        // With one channel the shape has no axis for it.
        let shape = if channels == 1 { &shape[..2] } else { &shape };
        check(
            &measured(Which::All, &data(shape, 5, 256), 256, None),
            &names,
        );
    }
}

#[test]
fn pictures_of_16_bits_are_taken_by_png_and_jpeg_xl() {
    let names = with_streams(&["PNG", "JPEG XL"]);
    // libjxl 0.7 keeps only 8 bits of an alpha, which is found out: it has no file then.
    for (shape, which) in [
        (&[6, 9][..], Which::All),
        (&[6, 9, 2], Which::BuiltIn),
        (&[6, 9, 3], Which::All),
        (&[6, 9, 4], Which::BuiltIn),
    ] {
        for levels in [4096, 65536] {
            let data = data(shape, 5, levels);
            check(&measured(which, &data, 65536, None), &names);
        }
    }
}

#[test]
fn binary_pictures_are_taken_by_jbig() {
    let names = with_streams(&["PNG", "WebP lossless -z 9", "JPEG XL", "JBIG1"]);
    check(
        &measured(Which::All, &data(&[9, 12], 5, 2), 2, None),
        &names,
    );
}

#[test]
fn signals_are_taken_by_flac() {
    let names = with_streams(&["FLAC"]);
    for levels in [256, 65536] {
        let data = data(&[100], 7, levels);
        check(&measured(Which::All, &data, levels as usize, None), &names);
    }
    let names = with_streams(&["FLAC", "PNG", "JPEG XL"]);
    let data = data(&[100, 2], 7, 5000);
    check(&measured(Which::All, &data, 65536, None), &names);
}

#[test]
fn tables_are_taken_by_parquet() {
    let names = with_streams(&["FLAC", "Parquet"]);
    for levels in [2, 256, 65536] {
        let data = data(&[3], 200, levels);
        check(&measured(Which::All, &data, levels as usize, None), &names);
    }
    let rows = (0..200).map(|i| format!("{i},{},\"v{}\",{}", i * 7 % 5, i % 3, i as f64 / 8.0));
    let rows: Vec<String> = rows.collect();
    let text = format!("a,b,c,d\n{}\n0,,,\n", rows.join("\n"));
    let data = data(&[4], 200, 256);
    let of_text = measured(Which::BuiltIn, &data, 256, Some(text.as_bytes()));
    check(&of_text, &with_streams(&["Parquet"]));
}

#[test]
fn files_of_large_pictures_are_summed() {
    let large = data(&[65, 65], 2, 256);
    check(
        &measured(Which::BuiltIn, &large, 256, None),
        &with_streams(&["PNG", "WebP lossless -z 9"]),
    );
}
