//! One datum of a model by a code.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use bbans::{Codec, LatentModel, VaeModel};
use bbans_twopart::{Shared, check_empty, empty_message, message_bits};
use ndarray::Array2;

use super::posteriors::Posteriors;
use crate::commands::compare::codes::BoxedCode;

/// What one code gave for one datum, in bits.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::commands::compare) struct Sent {
    pub(in crate::commands::compare) part_1: f64,
    pub(in crate::commands::compare) part_2: f64,
    pub(in crate::commands::compare) candidates: u64,
    /// Decoding included.
    pub(in crate::commands::compare) seconds: f64,
}

impl Sent {
    pub(in crate::commands::compare) fn total(&self) -> f64 {
        self.part_1 + self.part_2
    }
}

/// A datum that is to be sent, `[1, dims]`.
pub(in crate::commands::compare) struct Datum<'a> {
    pub(in crate::commands::compare) seed: u64,
    pub(in crate::commands::compare) model: &'a VaeModel,
    pub(in crate::commands::compare) x: &'a Array2<u16>,
    pub(super) posteriors: &'a Posteriors<'a>,
    pub(in crate::commands::compare) number: u64,
}

/// A code of whole data.
pub(in crate::commands::compare) trait DataCode: Sync {
    /// Sends a datum; decodes and compares. `None` if the code has nothing for it.
    fn send(&self, datum: &Datum<'_>) -> Result<Option<Sent>>;

    /// The latents that are sent together.
    fn pieces(&self) -> Vec<Range<usize>> {
        Vec::new()
    }
}

/// Neighbouring latents that a code takes together.
pub(in crate::commands::compare) struct Piece {
    pub(in crate::commands::compare) latents: Range<usize>,
    pub(in crate::commands::compare) code: BoxedCode,
}

/// Part 1 in pieces, part 2 with the likelihood.
pub(in crate::commands::compare) struct LatentCode {
    pub(in crate::commands::compare) pieces: Vec<Piece>,
}

impl DataCode for LatentCode {
    fn send(&self, datum: &Datum<'_>) -> Result<Option<Sent>> {
        let shared = |piece| Shared::new(datum.seed, datum.number, piece as u64);
        let (mut chosen, mut candidates) = (Vec::new(), 0);
        // One group of the model's latents after another: the posterior of each knows those before.
        let z = datum.posteriors.walk(|group, pairs| {
            let mut z = Vec::with_capacity(pairs.len());
            for (i, piece) in self.pieces.iter().enumerate() {
                if !group.contains(&piece.latents.start) {
                    continue;
                }
                let Range { start, end } = piece.latents;
                let latents = &pairs[start - group.start..end - group.start];
                let part_1 = piece.code.choose_any(latents, shared(i))?;
                let part_1 = part_1.context("a code that does not apply and has no other")?;
                candidates += part_1.candidates;
                z.extend_from_slice(&part_1.z);
                chosen.push(part_1);
            }
            Ok(z)
        })?;
        // What the receiver pops first is pushed last.
        let mut message = empty_message()?;
        let model = datum.model;
        model.likelihood(&z)?.push(&mut message, datum.x)?;
        let part_2 = message_bits(&message);
        for part_1 in chosen.iter().rev() {
            part_1.push(&mut message)?;
        }
        let part_1 = message_bits(&message) - part_2;

        // The receiver knows the prior alone.
        let prior = datum.posteriors.prior();
        let mut received = Vec::with_capacity(z.len());
        for (i, piece) in self.pieces.iter().enumerate() {
            let prior = vec![prior.clone(); piece.latents.len()];
            let symbols = piece.code.receive_any(&mut message, &prior, shared(i))?;
            for symbol in symbols {
                received.push(u16::try_from(symbol)?);
            }
        }
        let received = Array2::from_shape_vec(z.dim(), received)?;
        let x = model.likelihood(&received)?.pop(&mut message)?;
        check_empty(&message)?;
        if x != *datum.x {
            bail!(
                "image {} does not decode by a two-part code; this is a bug, please report it",
                datum.number
            );
        }
        Ok(Some(Sent {
            part_1,
            part_2,
            candidates,
            ..Sent::default()
        }))
    }

    fn pieces(&self) -> Vec<Range<usize>> {
        self.pieces.iter().map(|p| p.latents.clone()).collect()
    }
}
