//! What was found, as a table, JSON, CSV, and a folder with plots.

pub(super) mod csv;
pub(super) mod figures;
pub(super) mod folder;
pub(super) mod table;

use super::Args;
use super::measure::{Bound, Coded};
use super::rivals::{Contender, Outcome};
use super::subject::Subject;

/// Everything that was measured.
pub(super) struct Bench<'a> {
    pub(super) args: &'a Args,
    pub(super) data: &'a Subject,
    pub(super) models: Vec<ModelFigures>,
    pub(super) rivals: Vec<Contender>,
}

/// What one model gave.
pub(super) struct ModelFigures {
    pub(super) name: String,
    pub(super) fingerprint: [u8; 32],
    pub(super) simd: &'static str,
    pub(super) model_bytes: u64,
    pub(super) coded: Coded,
    pub(super) peak_memory: Option<u64>,
    pub(super) bound: Bound,
    /// Net bits of each datum, for the plots.
    pub(super) per_datum: Vec<f64>,
}

/// Bytes of a file beyond the model's net bits.
pub(super) struct Overhead {
    pub(super) net_bytes: f64,
    pub(super) header_bytes: u64,
    pub(super) initial_bytes: u64,
    pub(super) head_bytes: f64,
    /// Net bits above the bound: what integer masses and bins cost, and the draw of the latents.
    pub(super) precision_bytes: f64,
}

impl Bench<'_> {
    /// Number of values of the data.
    pub(super) fn values(&self) -> f64 {
        (self.data.data.count() * self.data.data.dims()) as f64
    }

    pub(super) fn bits_per_dim(&self, bytes: u64) -> f64 {
        8.0 * bytes as f64 / self.values()
    }

    /// Megabytes a second, one byte a value.
    pub(super) fn megabytes(&self, seconds: f64) -> f64 {
        self.values() / 1e6 / seconds
    }

    /// The rival of the smallest file.
    pub(super) fn best_rival(&self) -> Option<(&'static str, u64)> {
        let files = self.rivals.iter();
        let files = files.filter_map(|r| r.outcome.bytes().map(|bytes| (r.name, bytes)));
        files.min_by_key(|&(_, bytes)| bytes)
    }

    /// The number of data from which a model's file and the model itself are together smaller than
    /// the best rival's file, both in proportion to these; `None` if never.
    pub(super) fn break_even(&self, model: &ModelFigures) -> Option<u64> {
        let (_, rival) = self.best_rival()?;
        let saved = rival
            .checked_sub(model.coded.report.file_bytes)
            .filter(|&b| b > 0)?;
        let count = model.coded.report.count as f64;
        Some((model.model_bytes as f64 * count / saved as f64).ceil() as u64)
    }
}

impl ModelFigures {
    pub(super) fn overhead(&self) -> Overhead {
        let report = &self.coded.report;
        let net_bytes = report.net_bits / 8.0;
        let initial_bytes = report.initial_bits / 8;
        let values = report.count as f64 * report.dims as f64;
        Overhead {
            net_bytes,
            header_bytes: report.frame_bytes,
            initial_bytes,
            head_bytes: report.file_bytes as f64
                - report.frame_bytes as f64
                - initial_bytes as f64
                - net_bytes,
            precision_bytes: net_bytes - self.bound.bits_per_dim * values / 8.0,
        }
    }
}

/// A model or a rival with a file.
pub(super) struct Ranked<'a> {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) encode_seconds: f64,
    pub(super) decode_seconds: f64,
    pub(super) model: Option<&'a ModelFigures>,
}

/// All that have a file, the smallest first.
pub(super) fn ranking<'a>(bench: &'a Bench<'_>) -> Vec<Ranked<'a>> {
    let models = bench.models.iter().map(|m| Ranked {
        name: m.name.clone(),
        bytes: m.coded.report.file_bytes,
        encode_seconds: m.coded.encode_seconds,
        decode_seconds: m.coded.decode_seconds,
        model: Some(m),
    });
    let rivals = bench.rivals.iter().filter_map(|r| match &r.outcome {
        Outcome::Measured {
            best,
            bytes,
            encode_seconds,
            decode_seconds,
            ..
        } => Some(Ranked {
            name: format!("{} ({best})", r.name),
            bytes: *bytes,
            encode_seconds: *encode_seconds,
            decode_seconds: *decode_seconds,
            model: None,
        }),
        _ => None,
    });
    let mut all: Vec<_> = models.chain(rivals).collect();
    all.sort_by_key(|r| r.bytes);
    all
}
