//! What was found, as a table, JSON, CSV, and a folder with plots.

pub(super) mod csv;
pub(super) mod figures;
pub(super) mod folder;
pub(super) mod table;

use super::Args;
use super::measure::{Bound, Causes, Coded};
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
    /// Samples of the bound.
    pub(super) samples: u16,
    pub(super) particles: u16,
    pub(super) causes: Causes,
    /// Mean bits of each symbol of a position, given those before it and the latents, with its name.
    pub(super) by_symbol: Vec<(String, f64)>,
    /// Net bits of each datum, for the plots.
    pub(super) per_datum: Vec<f64>,
}

/// Bytes of a file beyond the bound, by cause. Their sum and the bound is the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overhead {
    pub(super) headers: f64,
    pub(super) initial_words: f64,
    /// What data in a point code take beyond the bound, which the first word of their message is part of.
    pub(super) points: f64,
    pub(super) heads: f64,
    /// Latents in bins instead of anywhere.
    pub(super) bins: f64,
    /// Integer masses of the likelihood instead of probabilities.
    pub(super) masses: f64,
    /// Bits that data leave on the message and that are not uniform when they are popped again.
    pub(super) unclean: f64,
    /// Latents that were drawn cheaper or dearer than on average.
    pub(super) draw: f64,
    /// Of each of these two: by how much two draws of all latents differ.
    pub(super) standard_error: f64,
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
    /// The bound that the file is held against, in bits per dimension.
    pub(super) fn bound(&self) -> f64 {
        match self.particles {
            1 => self.bound.bits_per_dim,
            _ => self.bound.importance_bits_per_dim,
        }
    }

    /// Bytes of a figure in bits per dimension.
    fn bytes(&self, bits_per_dim: f64) -> f64 {
        let report = &self.coded.report;
        bits_per_dim * report.count as f64 * report.dims as f64 / 8.0
    }

    pub(super) fn overhead(&self) -> Overhead {
        let report = &self.coded.report;
        let (net, bound) = (report.net_bits / 8.0, self.bytes(self.bound()));
        let part = |count: u64| count as f64 / report.count.max(1) as f64;
        let headers = report.frame_bytes as f64;
        let initial_words = report.initial_bits as f64 / 8.0;
        let points = report.point_bits / 8.0 - bound * part(report.points);
        let others = net - report.point_bits / 8.0;
        let unclean = others - self.causes.fresh_bits / 8.0 * (1.0 - part(report.points));
        let (bins, masses) = (self.causes.bins_bits / 8.0, self.causes.masses_bits / 8.0);
        Overhead {
            headers,
            initial_words,
            points,
            heads: report.file_bytes as f64 - headers - initial_words - net,
            bins,
            masses,
            unclean,
            draw: net - bound - points - bins - masses - unclean,
            standard_error: self.causes.draw_bits / 8.0,
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
