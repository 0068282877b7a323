//! What anyone could use instead of a model, at its best: each rival on every layout of the data
//! that it could do well on, its file decoded and compared.

mod brotli;
mod bzip2;
mod flac;
mod gzip;
mod jpeg_xl;
mod layout;
mod parquet;
mod png;
mod programs;
#[cfg(test)]
mod tests;
mod webp;
mod xz;
mod zstd;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::support::rows::DataSet;
use layout::{Image, Kind, Laid, Piece};

/// A compressor.
trait Rival: Sync {
    /// Its name, with the setting.
    fn name(&self) -> &'static str;

    /// Whether one of its settings is tried on a layout.
    fn takes(&self, laid: &Laid, setting: usize) -> bool;

    /// Its settings, by name.
    fn settings(&self) -> &'static [&'static str] {
        &[""]
    }

    /// The program to install, if it is one that is not there.
    fn missing(&self) -> Option<&'static str> {
        None
    }

    /// The compressed file, with one of the settings.
    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>>;

    /// The content again, as [`Piece::bytes`].
    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>>;
}

/// How a rival did.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
}

/// Its best file, or why there is none.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Measured {
        /// The layout and the setting that were best.
        best: String,
        /// How many were tried and gave a file.
        tried: usize,
        bytes: u64,
        encode_seconds: f64,
        decode_seconds: f64,
    },
    /// What installs it.
    NotInstalled(&'static str),
    /// Nothing of the kind that it takes.
    NotApplicable,
    Failed(String),
}

impl Outcome {
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Measured { bytes, .. } => Some(*bytes),
            _ => None,
        }
    }
}

impl Contender {
    /// Its files of two data sets together.
    pub(crate) fn plus(self, other: Self) -> Self {
        let outcome = match (self.outcome, other.outcome) {
            (
                Outcome::Measured {
                    best,
                    tried,
                    bytes,
                    encode_seconds,
                    decode_seconds,
                },
                Outcome::Measured {
                    best: best_other,
                    tried: tried_other,
                    bytes: bytes_other,
                    encode_seconds: encode_other,
                    decode_seconds: decode_other,
                },
            ) => Outcome::Measured {
                best: match best == best_other {
                    true => best,
                    false => "several layouts".to_owned(),
                },
                tried: tried + tried_other,
                bytes: bytes + bytes_other,
                encode_seconds: encode_seconds + encode_other,
                decode_seconds: decode_seconds + decode_other,
            },
            (Outcome::Measured { .. }, other) => other,
            (other, _) => other,
        };
        Self { outcome, ..self }
    }
}

/// Which rivals are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Which {
    /// Those that are built in and those that are installed
    All,
    /// Those that are built in
    BuiltIn,
    /// None
    None,
}

fn built_in() -> Vec<Box<dyn Rival>> {
    vec![
        Box::new(gzip::Gzip),
        Box::new(bzip2::Bzip2),
        Box::new(xz::Xz),
        Box::new(zstd::Zstd),
        Box::new(brotli::Brotli),
        Box::new(png::Png),
        Box::new(webp::WebP),
        Box::new(parquet::Parquet),
    ]
}

fn programs() -> Vec<Box<dyn Rival>> {
    vec![
        Box::new(jpeg_xl::JpegXl),
        Box::new(programs::Jbig),
        Box::new(flac::Flac),
        Box::new(programs::Zpaq),
    ]
}

/// One attempt: bytes of the file or files, seconds to encode and to decode.
type Attempt = Result<(u64, f64, f64)>;

/// Measures the rivals on `data`, whose values are below `levels` (2, 256 or 65536), and on the
/// `text` that they came in, if they did.
///
/// # Errors
/// If the data cannot be laid out.
pub(crate) fn measure(
    which: Which,
    data: &DataSet,
    levels: usize,
    text: Option<&[u8]>,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Contender>> {
    let rivals = match which {
        Which::None => return Ok(Vec::new()),
        Which::BuiltIn => built_in(),
        Which::All => built_in().into_iter().chain(programs()).collect(),
    };
    let layouts = layout::all(data, levels, text)?;
    let mut jobs = Vec::new();
    for (i, rival) in rivals.iter().enumerate() {
        if rival.missing().is_some() {
            continue;
        }
        for laid in &layouts {
            let settings = 0..rival.settings().len();
            let taken = settings.filter(|&setting| rival.takes(laid, setting));
            jobs.extend(taken.map(|setting| (i, laid, setting)));
        }
    }
    // The long ones are the programs, at the end: they go first.
    jobs.reverse();
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, String, Attempt)>> = Mutex::new(Vec::new());
    let total = jobs.len();
    std::thread::scope(|scope| {
        let work = || {
            while let Some(&(i, laid, setting)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let rival = rivals[i].as_ref();
                let name = rival.settings()[setting];
                let name = match name {
                    "" => laid.name.to_owned(),
                    name => format!("{}, {name}", laid.name),
                };
                let attempt = attempt(rival, laid, setting);
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                results.push((i, name, attempt));
            }
        };
        let handles: Vec<_> = (0..threads.get().min(total))
            .map(|_| scope.spawn(work))
            .collect();
        while handles.iter().any(|h| !h.is_finished()) {
            let done = results.lock().unwrap_or_else(PoisonError::into_inner).len();
            progress(done, total);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(rivals
        .iter()
        .enumerate()
        .map(|(i, rival)| Contender {
            name: rival.name(),
            outcome: rival.missing().map_or_else(
                || best(results.iter().filter(|r| r.0 == i)),
                Outcome::NotInstalled,
            ),
        })
        .collect())
}

/// The smallest file of a rival.
fn best<'a>(attempts: impl Iterator<Item = &'a (usize, String, Attempt)>) -> Outcome {
    let (mut best, mut tried) = (None, 0);
    let mut failed = None;
    for (_, name, attempt) in attempts {
        tried += usize::from(attempt.is_ok());
        match attempt {
            Ok(figures) if best.is_none_or(|(_, b): (_, &(u64, f64, f64))| figures.0 < b.0) => {
                best = Some((name, figures));
            }
            Ok(_) => {}
            Err(e) => failed = Some(format!("{name}: {e:#}")),
        }
    }
    match (best, failed) {
        (Some((name, &(bytes, encode_seconds, decode_seconds))), _) => Outcome::Measured {
            best: name.clone(),
            tried,
            bytes,
            encode_seconds,
            decode_seconds,
        },
        (None, Some(why)) => Outcome::Failed(why),
        (None, None) => Outcome::NotApplicable,
    }
}

/// Encodes and decodes each file of a layout.
fn attempt(rival: &dyn Rival, laid: &Laid, setting: usize) -> Attempt {
    let (mut bytes, mut encode_seconds, mut decode_seconds) = (0, 0.0, 0.0);
    for piece in laid.pieces() {
        let start = Instant::now();
        let file = rival.encode(piece, setting).context("encode")?;
        encode_seconds += start.elapsed().as_secs_f64();
        let start = Instant::now();
        let restored = rival.decode(&file, piece).context("decode")?;
        decode_seconds += start.elapsed().as_secs_f64();
        if restored != piece.bytes {
            bail!("what it decodes are not the data");
        }
        bytes += file.len() as u64;
    }
    Ok((bytes, encode_seconds, decode_seconds))
}

/// Whether data are bytes in a row.
fn is_stream(laid: &Laid) -> bool {
    matches!(laid.kind, Kind::Stream(_))
}

/// Whether data are bytes in a row in a layout that is worth the time of a slow compressor.
fn is_major_stream(laid: &Laid) -> bool {
    matches!(laid.kind, Kind::Stream(run) if !run.minor)
}

/// The form of an image.
///
/// # Errors
/// If the data are none.
fn image(piece: Piece<'_>) -> Result<Image> {
    match piece.kind {
        Kind::Image(image) => Ok(image),
        _ => bail!("not an image"),
    }
}

/// The values of an `image` among those that a decoder gives, whose pixels have `samples` values:
/// grey may come as colour, and an alpha that is opaque everywhere not at all.
fn pick(pixels: &[u8], samples: usize, image: Image) -> Vec<u8> {
    let size = if image.depth == 16 { 2 } else { 1 };
    let has_alpha = image.channels.is_multiple_of(2);
    let colours = image.channels - usize::from(has_alpha);
    let mut values = Vec::with_capacity(pixels.len());
    for pixel in pixels.chunks_exact(samples * size) {
        for colour in 0..colours {
            let from = if samples < 3 { 0 } else { colour * size };
            values.extend(&pixel[from..from + size]);
        }
        if has_alpha && samples.is_multiple_of(2) {
            values.extend(&pixel[(samples - 1) * size..]);
        } else if has_alpha {
            values.extend(std::iter::repeat_n(255, size));
        }
    }
    if image.depth == 1 {
        // A decoder may give any depth.
        values.iter_mut().for_each(|v| *v = u8::from(*v != 0));
    }
    values
}
