//! A model of every likelihood, any bytes as a file of it, and any data: what it takes comes back.
#![no_main]

use bbans::{FileModel, LatentModel, block};
use bbans_fuzz::{MODELS, decode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [kind, lanes, rest @ ..] = bytes else {
        return;
    };
    let model = &MODELS[usize::from(*kind) % MODELS.len()];
    let lanes = usize::from(*lanes) % 9 + 1;
    if rest.starts_with(&[0x89]) {
        let _ = decode(model, rest);
        return;
    }
    // The same bytes as words of a block, which mostly decode to something...
    let (words, _) = rest.as_chunks();
    let words: Vec<u32> = words
        .iter()
        .take(200)
        .map(|&w| u32::from_le_bytes(w))
        .collect();
    let way = block::Way {
        particles: usize::from(*kind) % 3 + 1,
        coupled: kind & 32 == 0,
        unordered: kind & 64 != 0,
        ..block::Way::plain(lanes).whitened(model)
    };
    let points = usize::from(kind & 128 != 0);
    let plan = block::Plan {
        way,
        count: lanes,
        points,
        initial_words: points,
        growth: 64,
    };
    let _ = block::decode(model, plan, words);
    // ...and as data, which come back: few, so that many are tried.
    let dims = model.dims();
    let levels = model.levels();
    let symbols: Vec<u16> = rest
        .iter()
        .map(|&b| (usize::from(b) % levels) as u16)
        .collect();
    let count = (symbols.len() / dims).min(3);
    let data = ndarray::ArrayView2::from_shape((count, dims), &symbols[..count * dims]).unwrap();
    if count > 0 {
        let coder = block::Coder::new(model, way);
        let coded = coder.encode_shorter(data, 7).unwrap();
        let decoded = coder.decode(coded.plan, coded.words).unwrap();
        let mut expected: Vec<_> = data.rows().into_iter().map(|row| row.to_vec()).collect();
        if way.unordered {
            expected.sort();
        }
        let found = decoded.data.rows().into_iter();
        assert!(found.eq(expected.iter().map(|row| ndarray::ArrayView1::from(row))));
    }
});
