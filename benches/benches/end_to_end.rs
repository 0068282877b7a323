//! Whole sets of images, from IDX bytes in memory to a file in memory and back:
//! `cargo bench --bench end_to_end`.

use std::io::Cursor;
use std::num::NonZeroUsize;

use bbans::container::Header;
use bbans::data::Target;
use bbans::{DataReader, Options, VaeModel};
use bbans_benches::{idx_header, images, random_model};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

fn idx(count: usize) -> Vec<u8> {
    let mut bytes = idx_header(count);
    bytes.extend(images(count).iter().map(|&pixel| pixel as u8));
    bytes
}

fn encode(model: &VaeModel, content: &[u8], lanes: usize, threads: usize) -> Vec<u8> {
    let reader = DataReader::open(Cursor::new(content.to_vec()), "").unwrap();
    let mut file = Vec::new();
    let options = Options {
        lanes,
        threads: NonZeroUsize::new(threads).unwrap(),
        ..Options::default()
    };
    bbans::compress(model, reader, &mut file, options, &mut |_| {}).unwrap();
    file
}

fn decode(model: &VaeModel, mut file: &[u8], threads: usize) {
    let header = Header::read(&mut file).unwrap().unwrap();
    let sink = Target::Stream(Box::new(std::io::sink()));
    let writer = bbans::writer(model, &header, sink).unwrap();
    let threads = NonZeroUsize::new(threads).unwrap();
    bbans::decompress(model, &header, &mut file, writer, threads, &mut |_| {}).unwrap();
}

const COUNT: usize = 10_000;

#[divan::bench(args = [(1, 1), (16, 1), (64, 1), (256, 1), (64, 2)], sample_count = 10)]
fn encode_10000(bencher: Bencher, (lanes, threads): (usize, usize)) {
    let (model, content) = (random_model(&[100], 40), idx(COUNT));
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| encode(&model, &content, lanes, threads));
}

#[divan::bench(args = [(1, 1), (16, 1), (64, 1), (256, 1), (64, 2)], sample_count = 10)]
fn decode_10000(bencher: Bencher, (lanes, threads): (usize, usize)) {
    let (model, content) = (random_model(&[100], 40), idx(COUNT));
    let file = encode(&model, &content, lanes, 2);
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| decode(&model, &file, threads));
}

/// 3 million parameters: the networks are all that counts.
#[divan::bench(args = [1, 2], sample_count = 3)]
fn encode_large_model_10000(bencher: Bencher, threads: usize) {
    let (model, content) = (random_model(&[1024, 512], 64), idx(COUNT));
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| encode(&model, &content, 64, threads));
}

#[divan::bench(args = [1, 2], sample_count = 3)]
fn decode_large_model_10000(bencher: Bencher, threads: usize) {
    let (model, content) = (random_model(&[1024, 512], 64), idx(COUNT));
    let file = encode(&model, &content, 64, 2);
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| decode(&model, &file, threads));
}
