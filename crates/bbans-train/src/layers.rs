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
    let latents = description.latent.dim;
    let Networks::Graphs(graphs) = &mut description.networks else {
        return Err(Error::new("networks that are not graphs"));
    };
    let Graphs { groups, decode, .. } = graphs;
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
            "the description has latents in groups already; layers are made of one group with a standard normal \
             prior",
        ));
    };
    if count == 0 || !latents.is_multiple_of(count) || shape.len() != 1 {
        return Err(Error::new(format!(
            "latents of shape {shape:?} cannot be cut into {count} layers of one size"
        )));
    }
    let (name, features) = (name.clone(), posterior.inputs.clone());
    let each = latents / count;
    let z = |layer: usize| format!("{name}/{layer}");
    *groups = (0..count)
        .map(|layer| {
            let mut nodes = Vec::new();
            let mut add = |id: String, op: Op, inputs: Vec<String>| {
                let node = Node {
                    id: id.clone(),
                    op,
                    inputs,
                };
                nodes.push(node);
                id
            };
            let part = |what: &str| format!("posterior.{layer}{what}");
            let joined = |add: &mut dyn FnMut(String, Op, Vec<String>) -> String,
                          what: &str,
                          inputs: Vec<String>| match &inputs[..] {
                [one] => one.clone(),
                _ => add(part(what), Op::Concat(Concat {}), inputs),
            };
            let dense = || Op::Dense(Dense { outputs: 2 * each });
            let seen = joined(&mut add, "/features", features.clone());
            let mut parameters = add(part(""), dense(), vec![seen]);
            if layer > 0 {
                let above = joined(&mut add, "/latents", (0..layer).map(z).collect());
                let above = add(part(".above"), dense(), vec![above]);
                schedule.init.insert(format!("{above}.weight"), 0.0);
                parameters = add(part("/sum"), Op::Add(Add {}), vec![parameters, above]);
            }
            let mut half = |what: &str, start: usize| {
                let end = start + each;
                add(
                    part(what),
                    Op::Slice(Slice { start, end }),
                    vec![parameters.clone()],
                )
            };
            let outputs = vec![half("/mean", 0), half("/log_sigma", each)];
            let above = (0..layer).map(z);
            Group {
                latents: z(layer),
                shape: vec![each],
                prior: None,
                posterior: Function {
                    inputs: features.iter().cloned().chain(above).collect(),
                    nodes,
                    outputs,
                },
                update: None,
            }
        })
        .collect();
    if count > 1 {
        let all: Vec<String> = (0..count).map(z).collect();
        decode.nodes.insert(
            0,
            Node {
                id: name.clone(),
                op: Op::Concat(Concat {}),
                inputs: all.clone(),
            },
        );
        decode.inputs = all;
    } else {
        decode.inputs = vec![z(0)];
        for input in decode.nodes.iter_mut().flat_map(|node| &mut node.inputs) {
            if *input == name {
                *input = z(0);
            }
        }
    }
    Ok(())
}
