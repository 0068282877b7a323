//! In which units a decoder is trained: means and scales of a likelihood are in units of the symbols, what a layer gives
//! is about 1 at first.

use std::collections::{BTreeMap, BTreeSet};

use bbans_nn::graph::Function;
use bbans_nn::ops::{Op, Shape};
use bbans_nn::simd::Path;

use crate::graph::walk;
use crate::objective::Unit;

/// Outputs of a layer with weights, each with its unit.
pub(crate) struct Layer {
    /// The layer's name, before `.weight` and `.bias`.
    pub id: String,
    /// Of every output, or channel of the output.
    pub units: Vec<Unit>,
}

/// The layers that a decoder for inputs of these shapes ends with, behind which values change their places alone, and the
/// units of their outputs; `units` are those of the decoder's outputs, in turn. None where there are no such layers, or
/// a channel would have several units.
pub(super) fn of_layers(decode: &Function, inputs: &[Shape], units: &[Unit]) -> Option<Vec<Layer>> {
    let mut shapes: BTreeMap<&str, Shape> = BTreeMap::new();
    let names = decode.inputs.iter().map(String::as_str);
    shapes.extend(names.zip(inputs.iter().cloned()));
    let mut outputs = decode.nodes.iter();
    walk(decode, inputs, |site| {
        if let (Some(node), Ok(shape)) = (outputs.next(), site.op.operation().output(&site.inputs))
        {
            shapes.insert(&node.id, shape);
        }
        Ok(())
    })
    .ok()?;
    let mut trace = Trace {
        decode,
        shapes,
        seen: BTreeSet::new(),
        moves: BTreeSet::new(),
    };
    let [output] = &decode.outputs[..] else {
        return None;
    };
    let sources = trace.sources(output)?;
    // What else takes a value on the way would find it in other units.
    let others = decode
        .nodes
        .iter()
        .filter(|node| !trace.moves.contains(node.id.as_str()));
    let mut taken = others.flat_map(|node| &node.inputs);
    if taken.any(|name| trace.seen.contains(name.as_str())) {
        return None;
    }
    let mut layers: BTreeMap<usize, Vec<Option<Unit>>> = BTreeMap::new();
    for ((node, channel), unit) in sources.into_iter().zip(units.iter().cycle()) {
        let channels = trace.channels(node)?;
        let of_layer = layers.entry(node).or_insert_with(|| vec![None; channels]);
        match of_layer.get_mut(channel)? {
            Some(found) if found != unit => return None,
            found => *found = Some(*unit),
        }
    }
    let layer = |(node, units): (usize, Vec<Option<Unit>>)| Layer {
        id: decode.nodes[node].id.clone(),
        units: units
            .into_iter()
            .map(|unit| unit.unwrap_or(Unit::ONE))
            .collect(),
    };
    Some(layers.into_iter().map(layer).collect())
}

struct Trace<'a> {
    decode: &'a Function,
    shapes: BTreeMap<&'a str, Shape>,
    /// The layers, and the nodes between them and the output.
    seen: BTreeSet<&'a str>,
    /// The nodes between.
    moves: BTreeSet<&'a str>,
}

impl<'a> Trace<'a> {
    /// Of every number of a value the node that computes it, and its channel there.
    fn sources(&mut self, name: &str) -> Option<Vec<(usize, usize)>> {
        let decode = self.decode;
        let number = decode.nodes.iter().position(|node| node.id == name)?;
        let node = &decode.nodes[number];
        self.seen.insert(&node.id);
        let len = |shape: &Shape| shape.iter().product::<usize>();
        let size = len(self.shapes.get(name)?);
        match &node.op {
            Op::Dense(_) | Op::Cells(_) | Op::Conv2d(_) | Op::ConvTranspose2d(_) => {
                let channels = self.channels(number)?;
                let channel = |i: usize| match &node.op {
                    Op::Cells(_) => i % channels,
                    _ => i / (size / channels),
                };
                Some((0..size).map(|i| (number, channel(i))).collect())
            }
            Op::Reshape(_)
            | Op::Permute(_)
            | Op::Slice(_)
            | Op::Concat(_)
            | Op::Upsample(_)
            | Op::PixelShuffle(_)
            | Op::PixelUnshuffle(_)
            | Op::Tiles(_) => {
                self.moves.insert(&node.id);
                let mut sources = Vec::new();
                let mut numbers: Vec<Vec<f32>> = Vec::new();
                for input in &node.inputs {
                    let of_input = self.sources(input)?;
                    // A float holds them: no value has over 2^24 numbers.
                    let range = sources.len()..sources.len() + of_input.len();
                    numbers.push(range.map(|i| i as f32).collect());
                    sources.extend(of_input);
                }
                let shapes: Option<Vec<&[usize]>> = (node.inputs.iter())
                    .map(|input| self.shapes.get(input.as_str()).map(Vec::as_slice))
                    .collect();
                let kernel = node.op.operation().kernel(&shapes?, &[]).ok()?;
                let numbers: Vec<&[f32]> = numbers.iter().map(Vec::as_slice).collect();
                let mut from = vec![0.0; size];
                kernel.run(Path::detect(), &numbers, 1, &mut from);
                from.into_iter()
                    .map(|i| sources.get(i as usize).copied())
                    .collect()
            }
            _ => None,
        }
    }

    /// Number of a layer's outputs, or of the channels of its output.
    fn channels(&self, node: usize) -> Option<usize> {
        let node = &self.decode.nodes[node];
        let shape = self.shapes.get(node.id.as_str())?;
        match node.op {
            Op::Cells(_) => shape.last().copied(),
            _ => shape.first().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(nodes: &str, output: &str) -> Function {
        let text = format!(r#"{{"inputs": ["z"], "nodes": [{nodes}], "outputs": ["{output}"]}}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn units(gains: &[f32]) -> Vec<Unit> {
        let unit = |&gain: &f32| Unit { gain, offset: 0.0 };
        gains.iter().map(unit).collect()
    }

    fn gains(decode: &Function, shape: &[usize], of: &[f32]) -> Option<Vec<(String, Vec<f32>)>> {
        let layers = of_layers(decode, &[shape.to_vec()], &units(of))?;
        let of_layer = |layer: Layer| (layer.id, layer.units.iter().map(|u| u.gain).collect());
        Some(layers.into_iter().map(of_layer).collect())
    }

    #[test]
    fn units_are_those_of_the_layers_that_values_come_from() {
        let dense = r#"{"id": "a", "op": "dense", "outputs": 6, "inputs": ["z"]}"#;
        let found = gains(&function(dense, "a"), &[4], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            found,
            [("a".to_owned(), vec![1.0, 2.0, 3.0, 1.0, 2.0, 3.0])]
        );
        // Two parameters as channels of a picture, one after another.
        let conv = r#"{"id": "a", "op": "conv2d", "channels": 2, "kernel": [1, 1], "inputs": ["z"]},
            {"id": "b", "op": "permute", "axes": [1, 2, 0], "inputs": ["a"]}"#;
        let found = gains(&function(conv, "b"), &[3, 2, 4], &[5.0, 7.0]).unwrap();
        assert_eq!(found, [("a".to_owned(), vec![5.0, 7.0])]);
        // Means and scales of heads of their own.
        let heads = r#"{"id": "a", "op": "dense", "outputs": 3, "inputs": ["z"]},
            {"id": "b", "op": "dense", "outputs": 3, "inputs": ["z"]},
            {"id": "c", "op": "concat", "inputs": ["a", "b"]},
            {"id": "d", "op": "reshape", "shape": [2, 3], "inputs": ["c"]},
            {"id": "e", "op": "permute", "axes": [1, 0], "inputs": ["d"]}"#;
        let found = gains(&function(heads, "e"), &[4], &[5.0, 7.0]).unwrap();
        let expected = [
            ("a".to_owned(), vec![5.0; 3]),
            ("b".to_owned(), vec![7.0; 3]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn where_units_would_mix_there_are_none() {
        // A channel with two parameters.
        let conv =
            r#"{"id": "a", "op": "conv2d", "channels": 2, "kernel": [1, 1], "inputs": ["z"]}"#;
        assert!(gains(&function(conv, "a"), &[3, 2, 4], &[5.0, 7.0]).is_none());
        // What is not linear, and what others take.
        let tanh = r#"{"id": "a", "op": "dense", "outputs": 2, "inputs": ["z"]},
            {"id": "b", "op": "tanh", "inputs": ["a"]}"#;
        assert!(gains(&function(tanh, "b"), &[3], &[5.0, 7.0]).is_none());
        let taken = r#"{"id": "a", "op": "dense", "outputs": 1, "inputs": ["z"]},
            {"id": "b", "op": "dense", "outputs": 1, "inputs": ["a"]},
            {"id": "c", "op": "concat", "inputs": ["a", "b"]}"#;
        assert!(gains(&function(taken, "c"), &[3], &[5.0, 7.0]).is_none());
    }
}
