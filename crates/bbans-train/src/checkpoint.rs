//! The state of a run between two epochs, as one safetensors file.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::adam::Slot;
use crate::error::{Error, Result};
use crate::quantize::Grids;
use crate::schedule::Schedule;

/// What a checkpoint says besides the tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// A run goes on only with the schedule it was started with.
    pub(crate) schedule: Schedule,
    /// BLAKE3 of the description, likewise.
    pub(crate) description_digest: String,
    /// BLAKE3 of the training data, likewise.
    pub(crate) data_digest: String,
    /// What the bytes of the data are.
    #[serde(default)]
    pub(crate) data_values: String,
    /// BLAKE3 of the model that the run began with.
    #[serde(default)]
    pub(crate) from_digest: Option<String>,
    /// Epochs completed.
    pub(crate) epoch: usize,
    /// Steps completed.
    pub(crate) step: usize,
    /// Seconds of training so far.
    pub(crate) seconds: f64,
    /// Smallest validation loss so far, in nats a datum, and its epoch.
    pub(crate) best: Option<(f64, usize)>,
    /// Steps of the weights, once they are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) grids: Option<Grids>,
}

const KEY: &str = "bbans-checkpoint";
/// Most steps of a run.
const MAX_STEPS: usize = 1 << 48;
const PARTS: [&str; 4] = ["value", "first", "second", "average"];

/// Writes a checkpoint; a reader sees the old one or the new one, never a part.
pub(crate) fn save(path: &Path, state: &State, slots: &[Slot], best: &[Vec<f32>]) -> Result<()> {
    let mut bytes: Vec<(String, Vec<u8>)> = Vec::new();
    for (i, slot) in slots.iter().enumerate() {
        let parts = [&slot.value, &slot.first, &slot.second, &slot.average];
        for (part, values) in PARTS.iter().zip(parts) {
            bytes.push((format!("{part}.{i}"), to_bytes(values)));
        }
    }
    for (i, values) in best.iter().enumerate() {
        bytes.push((format!("best.{i}"), to_bytes(values)));
    }
    let context = || format!("cannot write the checkpoint {}", path.display());
    let views = (bytes.iter())
        .map(|(name, b)| {
            Ok((
                name.clone(),
                TensorView::new(Dtype::F32, vec![b.len() / 4], b)?,
            ))
        })
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| Error::because(context(), e))?;
    let json = serde_json::to_string(state).map_err(|e| Error::because(context(), e))?;
    let file = safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), json)])))
        .map_err(|e| Error::because(context(), e))?;
    let partial = path.with_extension("checkpoint-new");
    let write = || {
        let mut out = fs::File::create(&partial)?;
        out.write_all(&file)?;
        out.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&partial);
        Error::because(context(), e)
    })
}

/// What a checkpoint holds: its state, the optimizer's slots, and the best weights so far.
pub(crate) type Checkpoint = (State, Vec<Slot>, Vec<Vec<f32>>);

/// Reads a checkpoint.
pub(crate) fn load(path: &Path) -> Result<Checkpoint> {
    let context = || {
        format!(
            "cannot go on from the checkpoint {}; remove it to start again",
            path.display()
        )
    };
    let bytes = fs::read(path).map_err(|e| Error::because(context(), e))?;
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|e| Error::because(context(), e))?;
    let json = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
    let json = json.ok_or_else(|| {
        Error::new(format!(
            "{}: it is no checkpoint of a training run",
            context()
        ))
    })?;
    let state: State = serde_json::from_str(json).map_err(|e| Error::because(context(), e))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| Error::because(context(), e))?;
    let values = |name: String| {
        let view = tensors.tensor(&name).ok();
        let view = view.filter(|view| view.dtype() == Dtype::F32);
        view.map(|view| from_bytes(view.data()))
    };
    let slots = (0..).map_while(|i| {
        Some(Slot {
            value: values(format!("value.{i}"))?,
            first: values(format!("first.{i}"))?,
            second: values(format!("second.{i}"))?,
            average: values(format!("average.{i}"))?,
        })
    });
    let slots = slots.collect();
    let best: Vec<_> = (0..).map_while(|i| values(format!("best.{i}"))).collect();
    let lengths = |values: &[&Vec<f32>]| values.iter().map(|v| v.len()).collect::<Vec<_>>();
    let slots: Vec<Slot> = slots;
    let own = lengths(&slots.iter().map(|slot| &slot.value).collect::<Vec<_>>());
    let of_best = lengths(&best.iter().collect::<Vec<_>>());
    if own != of_best || state.best.is_none() || state.step > MAX_STEPS {
        return Err(Error::new(format!(
            "{}: its parts do not fit together",
            context()
        )));
    }
    Ok((state, slots, best))
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}
