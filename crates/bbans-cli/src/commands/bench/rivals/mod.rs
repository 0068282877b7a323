//! What anyone could use instead of a model, at its best: each rival on every layout of the data
//! that it could do well on, its file decoded and compared.

mod brotli;
mod bzip2;
mod gzip;
mod layout;
mod png;
mod programs;
mod webp;
mod xz;
mod zstd;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::support::rows::DataSet;
use layout::{Kind, Laid};

/// A compressor.
trait Rival: Sync {
    /// Its name, with the setting.
    fn name(&self) -> &'static str;

    /// What it takes.
    fn takes(&self, laid: &Laid) -> bool;

    /// Its settings that are tried, by name.
    fn settings(&self) -> &'static [&'static str] {
        &[""]
    }

    /// The program to install, if it is one that is not there.
    fn missing(&self) -> Option<&'static str> {
        None
    }

    /// The compressed file, with one of the settings.
    fn encode(&self, laid: &Laid, setting: usize) -> Result<Vec<u8>>;

    /// The content again, as [`Laid::bytes`].
    fn decode(&self, file: &[u8], laid: &Laid) -> Result<Vec<u8>>;
}

/// How a rival did.
#[derive(Debug, Clone)]
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
}

/// Its best file, or why there is none.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Measured {
        /// The layout and the setting that were best.
        best: String,
        /// How many were tried.
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
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Measured { bytes, .. } => Some(*bytes),
            _ => None,
        }
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
    ]
}

fn programs() -> Vec<Box<dyn Rival>> {
    vec![
        Box::new(programs::JpegXl),
        Box::new(programs::Jbig),
        Box::new(programs::Zpaq),
    ]
}

/// One attempt: bytes of the file, seconds to encode and to decode.
type Attempt = Result<(u64, f64, f64)>;

/// Measures the rivals on `data`, as they are in `levels` levels.
///
/// # Errors
/// If the data cannot be laid out.
pub(super) fn measure(
    which: Which,
    data: &DataSet,
    levels: usize,
    threads: NonZeroUsize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Contender>> {
    let rivals = match which {
        Which::None => return Ok(Vec::new()),
        Which::BuiltIn => built_in(),
        Which::All => built_in().into_iter().chain(programs()).collect(),
    };
    let layouts = layout::all(data, levels)?;
    let mut jobs = Vec::new();
    for (i, rival) in rivals.iter().enumerate() {
        if rival.missing().is_some() {
            continue;
        }
        for laid in layouts.iter().filter(|laid| rival.takes(laid)) {
            jobs.extend((0..rival.settings().len()).map(|setting| (i, laid, setting)));
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
        tried += 1;
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

fn attempt(rival: &dyn Rival, laid: &Laid, setting: usize) -> Attempt {
    let start = Instant::now();
    let file = rival.encode(laid, setting).context("encode")?;
    let encode_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let restored = rival.decode(&file, laid).context("decode")?;
    let decode_seconds = start.elapsed().as_secs_f64();
    if restored != laid.bytes {
        bail!("what it decodes are not the data");
    }
    Ok((file.len() as u64, encode_seconds, decode_seconds))
}

/// Whether data are bytes in a row, and not an image.
fn is_stream(laid: &Laid) -> bool {
    laid.kind == Kind::Stream
}

/// Bytes of an image of 8 bits a pixel whose decoder may give any depth: all not 0 is 1 where the
/// image has two levels.
fn as_depth(pixels: Vec<u8>, laid: &Laid) -> Vec<u8> {
    match laid.kind {
        Kind::Image { depth: 1, .. } => pixels.iter().map(|&p| u8::from(p != 0)).collect(),
        _ => pixels,
    }
}
