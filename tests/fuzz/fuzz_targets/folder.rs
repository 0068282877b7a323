//! A folder of any names and contents: refused, or read to the end and restored to the same names and
//! pixels. A file is the length of its name, its name, the length of its contents, little-endian, and
//! its contents.
#![no_main]

use std::fs;

use bbans::data::{Rows, Target};
use bbans::nn::description::Values;
use bbans::{DataReader, DataWriter};
use libfuzzer_sys::fuzz_target;

/// The next file of the input.
fn file<'a>(input: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let name = input.split_off(..1 + usize::from(*input.first()?))?;
    let [low, high] = input.split_off(..2)? else {
        return None;
    };
    let content = input.split_off(..usize::from(u16::from_le_bytes([*low, *high])))?;
    Some((&name[1..], content))
}

fuzz_target!(|input: &[u8]| {
    let mut input = input;
    let from = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        let Some((name, content)) = file(&mut input) else {
            break;
        };
        let Ok(name) = str::from_utf8(name) else {
            continue;
        };
        // Many names that a folder takes are refused by the reader; the file system refuses others.
        if !name.contains('/') && name != "." && name != ".." {
            let _ = fs::write(from.path().join(name), content);
        }
    }
    let Ok((rows, source, digest)) = read(from.path()) else {
        return;
    };
    let to = tempfile::tempdir().unwrap();
    let target = Target::Folder(to.path().to_owned());
    let mut writer = DataWriter::new(
        source.clone(),
        source.dims().unwrap(),
        &Values::default(),
        target,
    )
    .unwrap();
    writer.write(&rows, 1).unwrap();
    assert_eq!(writer.finish(0).unwrap(), digest);
    assert_eq!(read(to.path()).unwrap(), (rows, source, digest));
});

fn read(folder: &std::path::Path) -> bbans::Result<(Rows, bbans::Source, [u8; 32])> {
    let mut reader = DataReader::open_folder(folder)?;
    let source = reader.source().clone();
    let rows = reader.read(100)?;
    Ok((rows, source, reader.finish().digest))
}
