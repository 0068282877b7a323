//! Any bytes as a data file: refused, or read to the end.
#![no_main]

use bbans::DataReader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = DataReader::open(std::io::Cursor::new(bytes.to_vec()), "x.png") else { return };
    while reader.read(100).is_ok_and(|rows| rows.count > 0) {}
});
