//! What is said while a model is trained.

use std::time::Instant;

use bbans_train::Progress;
use indicatif::ProgressBar;

use crate::support::progress;

/// A line that tells of a run, and when its total no longer falls.
pub(super) struct Line {
    bar: ProgressBar,
    begin: Instant,
    first_step: Option<usize>,
    count: usize,
    rival: Option<(String, u64)>,
    epoch: usize,
    patience: usize,
    /// The bytes of data and model after each epoch with rounded weights.
    totals: Vec<f64>,
    last_nats: f64,
}

/// Epochs in which the total must fall, at least, and as a part of all.
const PATIENCE: usize = 6;
const PATIENCE_PART: usize = 6;

impl Line {
    pub(super) fn new(count: usize, epochs: usize, rival: Option<(String, u64)>) -> Self {
        Self {
            bar: progress::styled(ProgressBar::no_length(), "{msg} {wide_bar} {percent}%"),
            begin: Instant::now(),
            first_step: None,
            count,
            rival,
            epoch: 0,
            patience: PATIENCE.max(epochs / PATIENCE_PART),
            totals: Vec::new(),
            last_nats: 0.0,
        }
    }

    /// Tells of a step; gives whether the total still falls.
    pub(super) fn step(&mut self, p: &Progress) -> bool {
        if p.epoch != self.epoch {
            if let (true, Some(model)) = (p.rounded, p.model_bytes) {
                self.totals.push(self.bytes(self.last_nats) + model as f64);
            }
            self.epoch = p.epoch;
        }
        self.last_nats = p.train_nats;
        let first = *self.first_step.get_or_insert(p.step.saturating_sub(1));
        let seconds = self.begin.elapsed().as_secs_f64();
        let done = (p.step - first).max(1) as f64;
        let left = seconds / done * p.steps.saturating_sub(p.step) as f64;
        self.bar.set_length(p.steps as u64);
        self.bar.set_position(p.step as u64);
        self.bar.set_message(self.message(p, left));
        self.falls()
    }

    fn falls(&self) -> bool {
        let Some(before) = self.totals.len().checked_sub(self.patience) else {
            return true;
        };
        let least = |totals: &[f64]| totals.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        least(&self.totals[before..]) < least(&self.totals[..before.max(1)])
    }

    fn bytes(&self, nats: f64) -> f64 {
        nats / std::f64::consts::LN_2 / 8.0 * self.count as f64
    }

    fn message(&self, p: &Progress, left: f64) -> String {
        let data = self.bytes(p.train_nats);
        let sum = match p.model_bytes {
            Some(model) => format!(
                "data {data:.0} + model {model} = {:.0} bytes",
                data + model as f64
            ),
            None => format!("data {data:.0} bytes"),
        };
        let rival = self.rival.as_ref();
        let rival = rival.map_or(String::new(), |(name, bytes)| format!(", {name} {bytes}"));
        let left = match left {
            ..120.0 => format!("{left:.0} s"),
            _ => format!("{:.0} min", left / 60.0),
        };
        format!("epoch {}: {sum}{rival}, {left} left", p.epoch + 1)
    }

    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_when_its_total_has_not_fallen_for_a_while() {
        let mut line = Line::new(100, 36, None);
        let mut epochs = 0;
        let step = |line: &mut Line, epoch: usize, nats: f64| {
            line.step(&Progress {
                epoch,
                step: epoch + 1,
                steps: 1000,
                train_nats: nats,
                validation_nats: None,
                model_bytes: Some(10),
                rounded: epoch >= 3,
            })
        };
        while step(&mut line, epochs, 50.0 - epochs.min(9) as f64) {
            epochs += 1;
        }
        assert!((14..20).contains(&epochs), "{epochs}");
    }
}
