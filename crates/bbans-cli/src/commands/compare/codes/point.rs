//! The point code, with which files of few data begin: latents on a coarse grid, not drawn.

use anyhow::{Result, bail};
use bbans::{Codec, Grid, LatentModel, PointCode, VaeModel, block};
use bbans_twopart::{check_empty, empty_message, message_bits};

use super::{Entry, OfModel};
use crate::commands::compare::model::{DataCode, Datum, Sent};

pub(super) const ENTRY: Entry = Entry {
    name: "point code",
    plotted: true,
    bound: None,
    single: None,
    model: Some(OfModel::Datum(|model| {
        // Not every model has one.
        let grid = Grid::new(model.model).ok();
        Ok(grid.map(|grid| Box::new(Points { grid }) as Box<dyn DataCode>))
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
            effort: block::point_effort(1, model.dims()),
        }
    }
}

impl DataCode for Points {
    fn send(&self, datum: &Datum<'_>) -> Result<Option<Sent>> {
        let mut message = empty_message()?;
        let codec = self.codec(datum.model);
        // Points ask more of a model than bits-back does: it may have none for a datum.
        if codec.push(&mut message, datum.x).is_err() {
            return Ok(None);
        }
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
        Ok(Some(Sent {
            part_1: total - part_2,
            part_2,
            ..Sent::default()
        }))
    }
}
