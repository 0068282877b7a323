//! Networks for archives that carry their model: as small as their data deserve.
//!
//! They have no latents: what a datum's symbols say of one another is learned by fewer weights than what latents would
//! say of them. docs/archives.md has the measurements.

use bbans_nn::description::Values;
use serde_json::{Value, json};

use crate::arch::Arch;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::facts::{Facts, SymbolFacts};
use crate::generated::DataKind;

/// Kinds of networks for archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Of pictures of one channel: a distribution of all levels for each pixel, from features of those before it.
    Stack,
    /// One symbol after another, of what neighbours are as numbers.
    Numbers,
    /// Likewise, with latents above.
    Latents,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stack, Self::Numbers, Self::Latents];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Numbers => "numbers",
            Self::Latents => "latents",
        }
    }

    /// The families that some data may have, the likeliest first.
    pub fn of(data: &Dataset) -> Vec<Self> {
        let picture = matches!(data.shape(), [rows, columns] if *rows > 1 && *columns > 1);
        let facts = SymbolFacts::of(data, 1, None);
        let few = facts
            .iter()
            .all(|f| f.levels <= FEW || f.levels <= 256 && f.share > 0.5);
        match picture && few {
            true => vec![Self::Stack, Self::Numbers, Self::Latents],
            false => vec![Self::Numbers, Self::Latents],
        }
    }
}

/// Up to so many levels each has a probability of its own, whatever the others have.
const FEW: usize = 32;
/// Sizes that are tried, of hidden layers.
const WIDTHS: [usize; 24] = [
    2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192,
];
/// Part of all bits that a model may take, at first.
const MODEL_PART: f64 = 0.012;
/// Bits of a weight, about.
const BITS_OF_WEIGHT: f64 = 4.5;

/// Weights that a model of data of so many bits may have, at first.
pub fn weights_for(bits: f64) -> usize {
    ((MODEL_PART * bits / BITS_OF_WEIGHT) as usize).clamp(200, 1 << 22)
}

/// The largest network of a family with at most so many weights, or its smallest; `levels` has the numbers of levels of
/// the symbols of a position, where they are known.
///
/// # Errors
/// If the data are of another kind.
pub fn archive_arch(
    family: Family,
    data: &Dataset,
    levels: Option<&[usize]>,
    values: &Values,
    weights: usize,
) -> Result<Arch> {
    let mut best: Option<Arch> = None;
    for width in WIDTHS {
        let arch = with_width(family, data, levels, values, width)?;
        if best.is_some() && arch.weights()? > weights {
            break;
        }
        best = Some(arch);
    }
    best.ok_or_else(|| Error::new("no network for these data"))
}

fn with_width(
    family: Family,
    data: &Dataset,
    levels: Option<&[usize]>,
    values: &Values,
    width: usize,
) -> Result<Arch> {
    let mut arch = match family {
        Family::Stack => stack(data, values, width)?,
        Family::Numbers | Family::Latents => {
            let table = matches!(values, Values::Columns(_));
            let kind = match DataKind::of_shape(data.shape()) {
                _ if table => DataKind::Table,
                Some((kind, _)) => kind,
                None => {
                    return Err(Error::new(format!(
                        "data of shape {:?}; expected a table, a signal or pictures of up to 8 channels",
                        data.shape()
                    )));
                }
            };
            kind.archive(data, levels, values, width, family == Family::Latents)?
        }
    };
    let schedule = &mut arch.schedule;
    (schedule.held_out_part, schedule.quantized_part) = (0, 0.4);
    Ok(arch)
}

/// Features of a wide window, then features of the features of the nearest pixels, and again.
fn stack(data: &Dataset, values: &Values, width: usize) -> Result<Arch> {
    let &[rows, columns] = data.shape() else {
        return Err(Error::new("pictures of several channels for a stack"));
    };
    let levels = data.levels();
    // A small network sees few neighbours, and once.
    let (reach, stages) = match width {
        ..=8 => (3, 0),
        9..=14 => (4, 1),
        _ => (6, 2),
    };
    let (above, side) = (reach.min(rows - 1), reach.min(columns - 1));
    let (likelihood, outputs) = match levels {
        ..=2 => (
            json!({"causal_bernoulli": {"channels": CHANNELS, "above": above, "side": side}}),
            1,
        ),
        _ => (
            json!({"causal_categorical": {
                "window": {"channels": CHANNELS, "above": above, "side": side},
                "levels": levels,
                "embedding": 4,
            }}),
            levels,
        ),
    };
    let layers = |stage: usize, last: bool| {
        let [dense, silu] = ["", "/silu"].map(|part| format!("head.{stage}{part}"));
        let mut nodes = vec![
            json!({"id": dense, "op": "dense", "outputs": width, "inputs": ["pixel"]}),
            json!({"id": silu, "op": "silu", "inputs": [dense]}),
        ];
        let mut output = silu;
        if last {
            nodes.push(json!({"id": "out", "op": "dense", "outputs": outputs, "inputs": [output]}));
            output = "out".to_owned();
        }
        json!({"inputs": ["pixel"], "nodes": nodes, "outputs": [output]})
    };
    let head = (0..=stages).map(|stage| {
        let function = layers(stage, stage == stages);
        match stage {
            0 => json!({"function": function}),
            _ => {
                json!({"above": 2.min(rows - 1), "side": 2.min(columns - 1), "function": function})
            }
        }
    });
    let description = json!({
        "likelihood": likelihood,
        "decode": places(rows, columns, CHANNELS),
        "head": head.collect::<Vec<_>>(),
        "training": {
            "epochs": 32,
            "min_steps": 0,
            "batch": batch(rows * columns),
            "learning_rate": 4e-3,
            "kl_warmup_epochs": 0,
            "init": {"row.value": 0.0, "column.value": 0.0},
        },
    });
    let facts = Facts {
        shape: data.shape().to_vec(),
        levels,
        values: values.clone(),
    };
    Arch::from_json(&description.to_string(), &facts)
}

/// Numbers that a pixel's place has.
const CHANNELS: usize = 2;
/// Positions of a step, about.
const STEP: usize = 1 << 14;

fn batch(positions: usize) -> usize {
    (STEP / positions.max(1)).clamp(4, 64)
}

/// A function to what is known of a position by its row and its column: the sum of numbers of each.
pub(crate) fn places(rows: usize, columns: usize, channels: usize) -> Value {
    let constant = |id: &str, size: usize| json!({"id": id, "op": "constant", "shape": [size, channels], "inputs": []});
    let again = |id: &str, of: &str, times: usize| json!({"id": id, "op": "concat", "inputs": vec![of; times]});
    let reshape = |id: &str, shape: &[usize], of: &str| json!({"id": id, "op": "reshape", "shape": shape, "inputs": [of]});
    json!({
        "inputs": [],
        "nodes": [
            constant("row", rows),
            again("row/all", "row", columns),
            reshape("row/grid", &[columns, rows, channels], "row/all"),
            {"id": "row/turned", "op": "permute", "axes": [1, 0, 2], "inputs": ["row/grid"]},
            constant("column", columns),
            again("column/all", "column", rows),
            reshape("column/grid", &[rows, columns, channels], "column/all"),
            {"id": "place", "op": "add", "inputs": ["row/turned", "column/grid"]},
        ],
        "outputs": ["place"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset;

    fn data(shape: &[usize], levels: u16, count: usize) -> Dataset {
        let dims: usize = shape.iter().product();
        let symbols = (0..count * dims).map(|i| (i * i / 7) as u16 % levels);
        let values = dataset::Values::Levels;
        Dataset::new(symbols.collect(), shape.to_vec(), values).unwrap()
    }

    #[test]
    fn every_family_has_networks_of_many_sizes() {
        for (shape, levels) in [
            (&[8, 8][..], 2),
            (&[8, 6], 17),
            (&[2, 9], 5),
            (&[9, 9], 256),
            (&[6, 6, 3], 256),
            (&[360], 2048),
            (&[5], 400),
        ] {
            let data = data(shape, levels, 30);
            for family in Family::of(&data) {
                let mut before = 0;
                for weights in [0, 1000, 10_000, 100_000] {
                    let found =
                        archive_arch(family, &data, None, &Values::default(), weights).unwrap();
                    let count = found.weights().unwrap();
                    assert!(count >= before, "{shape:?} {family:?} {count} {before}");
                    assert!(weights == 0 || count <= weights.max(before), "{count}");
                    assert_eq!(
                        found.description.latent.is_none(),
                        family != Family::Latents
                    );
                    before = count;
                }
                assert!(before > 20_000, "{shape:?} {family:?} {before}");
            }
        }
    }

    #[test]
    fn a_models_size_follows_that_of_its_data() {
        assert_eq!(weights_for(0.0), 200);
        assert_eq!(weights_for(1e9), 2_666_666);
    }
}
