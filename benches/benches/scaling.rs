//! From 1,000 to 1,000,000 images with the peak memory, and the size of a file by lanes:
//! `cargo bench --bench scaling`. Prints tables.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::time::Instant;

use bbans::container::Header;
use bbans::data::Target;
use bbans::{DataReader, Options, VaeModel};
use bbans_benches::{idx_header, images, random_model};

fn main() -> Result<(), Box<dyn Error>> {
    let model = random_model(&[100], 40);
    let two = NonZeroUsize::MIN.saturating_add(1);
    round_trip(&model, 10_000, Options::default())?;
    println!("| images | threads | encode, images/s | decode, images/s | peak memory, MiB |");
    println!("|---|---|---|---|---|");
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        for threads in [NonZeroUsize::MIN, two] {
            let options = Options {
                lanes: 64,
                threads,
                ..Options::default()
            };
            reset_peak();
            // The median of five, of one where a run takes seconds.
            let runs = if count < 100_000 { 5 } else { 1 };
            let times: Vec<_> = (0..runs)
                .map(|_| round_trip(&model, count, options))
                .collect::<io::Result<_>>()?;
            let (mut encode, mut decode): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
            let (encode, decode) = (median(&mut encode), median(&mut decode));
            let memory = peak_mib().map_or("-".to_owned(), |mib| mib.to_string());
            println!("| {count} | {threads} | {encode:.0} | {decode:.0} | {memory} |");
        }
    }
    println!();
    println!("| lanes | bytes of 10,000 images | over one lane |");
    println!("|---|---|---|");
    let mut one = 0.0;
    for lanes in [1, 4, 16, 64, 128, 256] {
        let options = Options {
            lanes,
            threads: two,
            ..Options::default()
        };
        let reader = DataReader::open(Images::new(10_000), "")?;
        let mut file = Vec::new();
        bbans::compress(&model, reader, &mut file, options, &mut |_| {})?;
        let bytes = file.len() as f64;
        if lanes == 1 {
            one = bytes;
        }
        println!(
            "| {lanes} | {bytes} | {:+.3}% |",
            100.0 * (bytes / one - 1.0)
        );
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Images per second of encoding, from IDX bytes to a file, and of decoding.
fn round_trip(model: &VaeModel, count: usize, options: Options) -> io::Result<(f64, f64)> {
    let mut file = tempfile::tempfile()?;
    let images = Images::new(count);
    let start = Instant::now();
    let reader = DataReader::open(images, "").map_err(io::Error::other)?;
    let mut out = BufWriter::new(&file);
    bbans::compress(model, reader, &mut out, options, &mut |_| {}).map_err(io::Error::other)?;
    out.flush()?;
    drop(out);
    let encode = start.elapsed();
    file.rewind()?;
    let start = Instant::now();
    decode(model, file, options.threads).map_err(io::Error::other)?;
    let per_second = |time: std::time::Duration| count as f64 / time.as_secs_f64();
    Ok((per_second(encode), per_second(start.elapsed())))
}

/// Decodes; the digest in the file proves that every byte came back.
fn decode(model: &VaeModel, file: File, threads: NonZeroUsize) -> bbans::Result<()> {
    let mut input = BufReader::new(file);
    let header =
        Header::read(&mut input)?.ok_or_else(|| bbans::Error::invalid_argument("an empty file"))?;
    let sink = Target::Stream(Box::new(io::sink()));
    let writer = bbans::writer(model, &header, sink)?;
    bbans::decompress(model, &header, &mut input, writer, threads, &mut |_| {})?;
    Ok(())
}

/// An IDX file of any length that is never in memory: the same thousand images again and again.
struct Images {
    header: Cursor<Vec<u8>>,
    pixels: Cursor<Vec<u8>>,
    /// Bytes of pixels that are still to come.
    left: u64,
}

impl Images {
    fn new(count: usize) -> Self {
        Self {
            header: Cursor::new(idx_header(count)),
            pixels: Cursor::new(images(1000).iter().map(|&pixel| pixel as u8).collect()),
            left: count as u64 * 784,
        }
    }
}

impl Read for Images {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.header.read(buffer)? {
            0 => {}
            n => return Ok(n),
        }
        if self.pixels.position() == self.pixels.get_ref().len() as u64 {
            self.pixels.rewind()?;
        }
        let n = (&mut self.pixels).take(self.left).read(buffer)?;
        self.left -= n as u64;
        Ok(n)
    }
}

/// Linux counts the peak from now on.
fn reset_peak() {
    // Elsewhere there is no such file, and no figure.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}
