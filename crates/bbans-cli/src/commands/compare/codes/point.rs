//! The point code, with which files of few data begin: latents on a coarse grid, not drawn.

use anyhow::{Result, bail};
use bbans::{Codec, Grid, LatentModel, PointCode, VaeModel};
use bbans_twopart::{check_empty, empty_message, message_bits};

use super::{Entry, OfModel};
use crate::commands::compare::model::{DataCode, Datum, Sent};

/// Candidates that are measured for a datum, as many as `compress` takes for one.
const EFFORT: usize = 1 << 12;

pub(super) const ENTRY: Entry = Entry {
    name: "point code",
    plotted: true,
    bound: None,
    single: None,
    model: Some(OfModel::Datum(|model| {
        Ok(Box::new(Points {
            grid: Grid::new(model.model)?,
        }))
    })),
};

struct Points {
    grid: Grid,
}

impl Points {
    fn codec<'a>(&'a self, model: &'a VaeModel) -> PointCode<'a, VaeModel> {
        PointCode {
            model,
            grid: &self.grid,
            effort: EFFORT,
        }
    }
}

impl DataCode for Points {
    fn send(&self, datum: &Datum<'_>) -> Result<Sent> {
        let mut message = empty_message()?;
        let codec = self.codec(datum.model);
        codec.push(&mut message, datum.x)?;
        let total = message_bits(&message);
        let z = codec.pop_latents(&mut message)?;
        let part_2 = message_bits(&message);
        if datum.model.likelihood(&z)?.pop(&mut message)? != *datum.x {
            bail!(
                "image {} does not decode by the point code; this is a bug, please report it",
                datum.number
            );
        }
        check_empty(&message)?;
        Ok(Sent {
            part_1: total - part_2,
            part_2,
            candidates: 0,
        })
    }
}
