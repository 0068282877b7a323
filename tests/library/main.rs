//! Tests of the libraries together: golden files, damage, SIMD paths, agreement with candle.

mod arithmetic;
mod damage;
mod golden;
mod golden_2;
mod goldens;
mod graphs;
mod grey;
mod import;
mod message;
mod operations;
mod rate;
mod reference;
#[path = "../support/mod.rs"]
mod support;
mod symbol_models;
mod symbols;
mod values;
mod version_2;
mod version_3;
mod version_4;

use std::num::NonZeroUsize;

use bbans::{
    BitsBack, Codec, CoupledImportanceSampling, DataReader, FileModel, ImportanceSampling, Message,
    Options, Report, Result, VaeModel,
};
use ndarray::{Array2, Axis};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How files of version 2 are coded here: plainly, with particles of both kinds, as sets, and independent.
pub(crate) fn ways() -> [Options; 7] {
    let plain = Options {
        format: 2,
        lanes: 16,
        threads: NonZeroUsize::MIN,
        ..Options::default()
    };
    let particles = Options {
        particles: 3,
        ..plain
    };
    let set = |options| Options {
        unordered: true,
        ..options
    };
    let independent = Options {
        independent: true,
        ..plain
    };
    let uncoupled = Options {
        coupled: false,
        ..particles
    };
    [
        plain,
        particles,
        uncoupled,
        set(plain),
        set(particles),
        set(uncoupled),
        independent,
    ]
}

/// Compresses a data file in memory, to version 1 of the container.
pub(crate) fn compress(
    model: &impl FileModel,
    content: &[u8],
    lanes: usize,
    threads: usize,
) -> Result<(Vec<u8>, Report)> {
    let reader = DataReader::open(std::io::Cursor::new(content.to_vec()), "image.png")?;
    let mut file = Vec::new();
    let options = Options {
        lanes,
        threads: NonZeroUsize::new(threads).unwrap(),
        format: 1,
        ..Options::default()
    };
    let report = bbans::compress(model, reader, &mut file, options, &mut |_| {})?;
    assert_eq!(report.file_bytes, file.len() as u64);
    Ok((file, report))
}

/// Restores the data file that a compressed one in memory holds.
pub(crate) fn decompress(model: &impl FileModel, file: &[u8], threads: usize) -> Result<Vec<u8>> {
    let options = Options {
        threads: NonZeroUsize::new(threads).unwrap(),
        ..Options::default()
    };
    bbans::decompress_bytes(model, file, options)
}

/// Data from the model, each datum on a message of its own random words, take as many bits as the bound says: with one
/// particle the evidence lower bound, with several the importance-weighted one.
fn rate_is_the_bound(file: &bbans::nn::ModelFile) {
    let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let data = bbans::sample(&model, 1000, 1, 0).unwrap();
    let bounds = bbans::elbo(&model, data.view(), 16, 1, 0).unwrap();
    let bound: f64 = bounds.iter().map(bbans::Elbo::bits).sum();
    let weighted: f64 = bounds.iter().map(|b| b.importance_bits).sum();
    assert!(weighted < bound, "the importance-weighted bound is tighter");
    let (model, lanes) = (&model, 1);
    let plain: Vec<f64> = bounds.iter().map(bbans::Elbo::bits).collect();
    codec_reaches(&BitsBack { model, lanes }, &data, &plain, model.name());
    let weighted: Vec<f64> = bounds.iter().map(|b| b.importance_bits).collect();
    let particles = 16;
    let coupled = CoupledImportanceSampling {
        model,
        lanes,
        particles,
    };
    codec_reaches(&coupled, &data, &weighted, model.name());
    let independent = ImportanceSampling {
        model,
        lanes,
        particles,
    };
    codec_reaches(&independent, &data, &weighted, model.name());
}

/// A codec of one datum takes as many bits as `bounds` say, on the whole.
fn codec_reaches(
    codec: &impl Codec<Symbol = Array2<u16>>,
    data: &Array2<u16>,
    bounds: &[f64],
    name: &str,
) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut over = Vec::new();
    let bound: f64 = bounds.iter().sum();
    for (row, bound) in data.axis_chunks_iter(Axis(0), 1).zip(bounds) {
        let mut message = Message::new((0..200).map(|_| rng.next_u32()).collect());
        message.grow(1).unwrap();
        let (before, start) = (message.bits(), message.clone());
        codec.push(&mut message, &row.to_owned()).unwrap();
        over.push(message.bits() - before - bound);
        assert_eq!(codec.pop(&mut message).unwrap(), row);
        assert_eq!(message, start);
    }
    let count = over.len() as f64;
    let mean = over.iter().sum::<f64>() / count;
    let variance = over.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    // Integer masses and bins cost a little.
    let allowed = 4.0 * error + 0.0005 * bound / count;
    assert!(mean.abs() < allowed, "{}: {mean} +- {error}", name);
    assert!(error < 0.01 * bound / count, "{}: {error}", name);
}
