//! The latents of a description in layers, inferred one after another.

use bbans_nn::Description;
use bbans_nn::description::{Graphs, Group, Networks};
use bbans_nn::graph::{Function, Node};
use bbans_nn::ops::{Add, Concat, Dense, Op, Slice};

use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// Takes the latents of a description apart into `count` layers of one size, from the top (ladder VAE, Sønderby et al.
/// 2016): each posterior sees the features and, after a dense layer of zeros at first, the layers above.
///
/// # Errors
/// If the description has other than one group of latents in a row, with a standard normal prior and without an
/// update, or the number does not divide them.
pub fn in_layers(
    description: &mut Description,
    schedule: &mut Schedule,
    count: usize,
) -> Result<()> {
    if count == 1 {
        return Ok(());
    }
    let latents = description.latent.dim;
    let Networks::Graphs(Graphs { groups, decode, .. }) = &mut description.networks else {
        return Err(Error::new("lists of layers; expected graphs"));
    };
    let [
        Group {
            latents: name,
            shape,
            prior: None,
            posterior,
            update: None,
        },
    ] = &groups[..]
    else {
        return Err(Error::new(
            "latents that are in groups already cannot be cut into layers; expected one group with a standard normal \
             prior, or --latent-layers 1",
        ));
    };
    if shape.len() != 1 {
        return Err(Error::new(format!(
            "latents of shape {shape:?} cannot be cut into layers; expected a row of them, or --latent-layers 1"
        )));
    }
    if count == 0 || !latents.is_multiple_of(count) {
        return Err(Error::new(format!(
            "latents of shape {shape:?} cannot be cut into {count} layers of one size; expected a number that divides \
             {latents}"
        )));
    }
    let Some(at) = decode.inputs.iter().position(|input| input == name) else {
        return Err(Error::new(format!(
            "decode does not take the latents {name}; expected it to"
        )));
    };
    // Their tensors are no more.
    for node in &posterior.nodes {
        let prefix = format!("{}.", node.id);
        schedule
            .init
            .retain(|tensor, _| !tensor.starts_with(&prefix));
    }
    let layers = Layers {
        name: name.clone(),
        features: posterior.inputs.clone(),
        each: latents / count,
    };
    for layer in 1..count {
        let above = format!("{}.weight", layers.above(layer));
        schedule.init.insert(above, 0.0);
    }
    *groups = (0..count).map(|layer| layers.group(layer)).collect();
    let all: Vec<String> = (0..count).map(|layer| layers.latents(layer)).collect();
    decode.inputs.splice(at..=at, all.clone());
    let together = Node {
        id: layers.name,
        op: Op::Concat(Concat {}),
        inputs: all,
    };
    decode.nodes.insert(0, together);
    Ok(())
}

/// Latents that are taken apart.
struct Layers {
    /// Of the group that they were.
    name: String,
    /// What its posterior took.
    features: Vec<String>,
    /// Latents of a layer.
    each: usize,
}

impl Layers {
    fn latents(&self, layer: usize) -> String {
        format!("{}/{layer}", self.name)
    }

    /// The layer with weights that takes the layers above.
    fn above(&self, layer: usize) -> String {
        format!("posterior.{layer}.above")
    }

    fn group(&self, layer: usize) -> Group {
        let mut nodes = Vec::new();
        let mut add = |id: String, op: Op, inputs: Vec<String>| {
            nodes.push(Node {
                id: id.clone(),
                op,
                inputs,
            });
            id
        };
        let part = |what: &str| format!("posterior.{layer}{what}");
        let dense = || {
            Op::Dense(Dense {
                outputs: 2 * self.each,
            })
        };
        let concat = || Op::Concat(Concat {});
        let above: Vec<String> = (0..layer).map(|above| self.latents(above)).collect();
        let features = match &self.features[..] {
            [one] => one.clone(),
            all => add(part("/features"), concat(), all.to_vec()),
        };
        let mut parameters = add(part(""), dense(), vec![features]);
        if layer > 0 {
            let latents = match &above[..] {
                [one] => one.clone(),
                all => add(part("/latents"), concat(), all.to_vec()),
            };
            let of_above = add(self.above(layer), dense(), vec![latents]);
            parameters = add(part("/sum"), Op::Add(Add {}), vec![parameters, of_above]);
        }
        let mut half = |what: &str, start: usize| {
            let end = start + self.each;
            let slice = Op::Slice(Slice { start, end });
            add(part(what), slice, vec![parameters.clone()])
        };
        let outputs = vec![half("/mean", 0), half("/log_sigma", self.each)];
        Group {
            latents: self.latents(layer),
            shape: vec![self.each],
            prior: None,
            posterior: Function {
                inputs: self.features.iter().cloned().chain(above).collect(),
                nodes,
                outputs,
            },
            update: None,
        }
    }
}
