//! Any bytes as a data file: refused, or read to the end, restored to the same, and coded by a model that
//! it fits.
#![no_main]

use bbans::data::Layout;
use bbans::nn::description::Values;
use bbans::{DataReader, DataWriter};
use bbans_fuzz::{MODELS, Memory, decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let open = |bytes: &[u8]| DataReader::open(std::io::Cursor::new(bytes.to_vec()), "x.png");
    let Ok(mut reader) = open(bytes) else { return };
    let source = reader.source().clone();
    if matches!(source.layout, Layout::Csv(_)) {
        // A table, whose columns a model would have to say.
        assert!(reader.read(1).is_err());
        return;
    }
    let dims = source.dims().unwrap();
    let memory = Memory::default();
    let mut writer =
        DataWriter::new(source.clone(), dims, &Values::default(), memory.target()).unwrap();
    let mut read = 0;
    loop {
        let Ok(rows) = reader.read(1 + read % 5) else {
            return;
        };
        assert_eq!(rows.symbols.len(), rows.count * dims);
        if rows.count == 0 {
            break;
        }
        read += rows.count;
        writer.write(&rows, 1).unwrap();
    }
    let end = reader.finish();
    assert_eq!(writer.finish(end.cut).unwrap(), end.digest);
    let restored = memory.bytes();
    if matches!(source.layout, Layout::Png { .. }) {
        // The pixels are the same; the file is another.
        let mut again = open(&restored).unwrap();
        assert_eq!(*again.source(), source);
        while again.read(1).unwrap().count > 0 {}
        assert_eq!(again.finish().digest, end.digest);
    } else if !bytes.starts_with(&[0x1f, 0x8b]) {
        assert_eq!(restored, bytes);
    }
    if dims <= 30 || source.shape.is_empty() {
        for model in [&MODELS[0], &MODELS[1]] {
            if let Ok(file) = encode(model, &restored, 3) {
                assert_eq!(decode(model, &file).unwrap().unwrap(), restored);
            }
        }
    }
});
