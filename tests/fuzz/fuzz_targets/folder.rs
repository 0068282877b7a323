//! A folder of any names and contents, with folders in it: refused, or read to the end and restored to the same names,
//! pixels and chunks. A file is the length of its path, its path, the length of its contents, little-endian, and its
//! contents.
#![no_main]

use std::fs;
use std::path::Path;

use bbans::data::{Rows, Target};
use bbans::nn::description::{GreenFirst, Values};
use bbans::{DataReader, DataWriter, Result, Source};
use bbans_fuzz::{MODELS, PICTURES, decode_to, encode, options, unsummed};
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
    let (len, mut input) = (input.len(), input);
    let from = tempfile::tempdir().unwrap();
    for _ in 0..6 {
        let Some((path, content)) = file(&mut input) else {
            break;
        };
        let Ok(path) = str::from_utf8(path) else {
            continue;
        };
        // Many names that a folder takes are refused by the reader; the file system refuses others.
        if path.split('/').all(|name| !matches!(name, "" | "." | "..")) {
            let path = from.path().join(path);
            let _ = path.parent().map(fs::create_dir_all);
            let _ = fs::write(path, content);
        }
    }
    let Ok(source) = DataReader::open_folder(from.path()).map(|reader| reader.source().clone())
    else {
        return;
    };
    let mut values = vec![Values::default()];
    if let [_, _, channels @ 3..=4] = source.shape[..] {
        let levels = 200;
        values.push(Values::GreenFirst(GreenFirst { levels, channels }));
    }
    for values in values {
        let Ok((rows, source, digest)) = read(from.path(), &values) else {
            return;
        };
        let to = tempfile::tempdir().unwrap();
        let target = Target::Folder(to.path().to_owned());
        let dims = source.dims().unwrap();
        let mut writer = DataWriter::new(source.clone(), dims, &values, target).unwrap();
        writer.write(&rows, 1).unwrap();
        assert_eq!(writer.finish(0).unwrap(), digest);
        let expected = (rows, unsummed(source), digest);
        let (rows, source, digest) = read(to.path(), &values).unwrap();
        assert_eq!((rows, unsummed(source), digest), expected);
    }
    coded(from.path(), len as u8);
});

fn read(folder: &Path, values: &Values) -> Result<(Rows, Source, [u8; 32])> {
    let mut reader = DataReader::open_folder(folder)?;
    reader.bind(values, 1 << 16)?;
    let source = reader.source().clone();
    let rows = reader.read(100)?;
    Ok((rows, source, reader.finish().digest))
}

/// What a model takes comes back as a folder.
fn coded(folder: &Path, coding: u8) {
    for model in [&MODELS[0], &MODELS[PICTURES]] {
        let reader = DataReader::open_folder(folder).unwrap();
        let Ok(compressed) = encode(model, reader, options(coding)) else {
            continue;
        };
        let to = tempfile::tempdir().unwrap();
        let target = |_| Target::Folder(to.path().to_owned());
        assert_eq!(decode_to(model, &compressed, target).unwrap(), Some(true));
        let [expected, found] = [folder, to.path()].map(|folder| {
            let (rows, source, digest) = read(folder, &Values::default()).unwrap();
            (rows, unsummed(source), digest)
        });
        assert_eq!(found, expected);
    }
}
