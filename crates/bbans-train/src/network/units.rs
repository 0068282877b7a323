//! In which units a decoder is trained: means and scales of a likelihood are in units of the symbols, what a layer gives
//! is about 1 at first.

use std::collections::{BTreeMap, BTreeSet};

use bbans_nn::graph::{Function, Node};
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
    let mut nodes = decode.nodes.iter();
    walk(decode, inputs, |site| {
        shapes.extend(
            nodes
                .next()
                .map(|node| (node.id.as_str(), site.output.to_vec())),
        );
        Ok(())
    })
    .ok()?;
    let mut trace = Trace {
        shapes,
        sources: BTreeMap::new(),
        numbers: 0,
    };
    for (number, node) in decode.nodes.iter().enumerate() {
        let sources = trace.of(number, node);
        trace.sources.insert(&node.id, sources);
    }
    let [output] = &decode.outputs[..] else {
        return None;
    };
    // The nodes on the way to the output, from the last on.
    let mut on_the_way = BTreeSet::from([output.as_str()]);
    for node in decode.nodes.iter().rev() {
        if on_the_way.contains(node.id.as_str()) && !is_layer(&node.op) {
            on_the_way.extend(node.inputs.iter().map(String::as_str));
        }
    }
    // What else takes a value on the way would find it in other units.
    let moves = |node: &&Node| on_the_way.contains(node.id.as_str()) && !is_layer(&node.op);
    let others = decode.nodes.iter().filter(|node| !moves(node));
    let mut taken = others.flat_map(|node| &node.inputs);
    if taken.any(|name| on_the_way.contains(name.as_str())) {
        return None;
    }
    let sources = trace.sources.remove(output.as_str())??;
    let mut layers: BTreeMap<usize, Vec<Option<Unit>>> = BTreeMap::new();
    for ((number, channel), unit) in sources.into_iter().zip(units.iter().cycle()) {
        let channels = trace.channels(&decode.nodes[number])?;
        let of_layer = layers.entry(number).or_insert_with(|| vec![None; channels]);
        match of_layer.get_mut(channel)? {
            Some(found) if found != unit => return None,
            found => *found = Some(*unit),
        }
    }
    let layer = |(number, units): (usize, Vec<Option<Unit>>)| Layer {
        id: decode.nodes[number].id.clone(),
        units: units
            .into_iter()
            .map(|unit| unit.unwrap_or(Unit::ONE))
            .collect(),
    };
    Some(layers.into_iter().map(layer).collect())
}

/// Whether an operation has weights that units can become part of.
fn is_layer(op: &Op) -> bool {
    matches!(
        op,
        Op::Dense(_) | Op::Cells(_) | Op::Conv2d(_) | Op::ConvTranspose2d(_)
    )
}

/// Most numbers that are followed.
const MAX_NUMBERS: usize = 1 << 26;

/// Of every number of a value the node that computes it, and its channel there.
type Sources = Vec<(usize, usize)>;

struct Trace<'a> {
    shapes: BTreeMap<&'a str, Shape>,
    /// Of values that are layers', or whose numbers were moved from there.
    sources: BTreeMap<&'a str, Option<Sources>>,
    /// Of all of them.
    numbers: usize,
}

impl Trace<'_> {
    /// The sources of a node's value; those of the nodes before it are known.
    fn of(&mut self, number: usize, node: &Node) -> Option<Sources> {
        let size = self.shapes.get(node.id.as_str())?.iter().product::<usize>();
        if is_layer(&node.op) {
            self.numbers += size;
            let channels = self.channels(node)?;
            let channel = |i: usize| match &node.op {
                Op::Cells(_) => i % channels,
                _ => i / (size / channels),
            };
            let all = (0..size).map(|i| (number, channel(i)));
            return (self.numbers <= MAX_NUMBERS).then(|| all.collect());
        }
        if !matches!(
            node.op,
            Op::Reshape(_)
                | Op::Permute(_)
                | Op::Slice(_)
                | Op::Concat(_)
                | Op::Upsample(_)
                | Op::PixelShuffle(_)
                | Op::PixelUnshuffle(_)
                | Op::Tiles(_)
        ) {
            return None;
        }
        let of_inputs = node
            .inputs
            .iter()
            .map(|name| self.sources.get(name.as_str())?.as_ref());
        let of_inputs = of_inputs.collect::<Option<Vec<_>>>()?;
        self.numbers += size + of_inputs.iter().map(|sources| sources.len()).sum::<usize>();
        if self.numbers > MAX_NUMBERS {
            return None;
        }
        // The operation on the numbers' numbers, which a float holds: no value has over 2^24.
        let mut next = 0;
        let mut numbers = |sources: &&Sources| -> Vec<f32> {
            next += sources.len();
            (next - sources.len()..next).map(|i| i as f32).collect()
        };
        let numbers: Vec<Vec<f32>> = of_inputs.iter().map(&mut numbers).collect();
        let numbers: Vec<&[f32]> = numbers.iter().map(Vec::as_slice).collect();
        let shapes = node
            .inputs
            .iter()
            .map(|name| self.shapes.get(name.as_str()));
        let shapes = shapes.map(|shape| shape.map(Vec::as_slice));
        let shapes = shapes.collect::<Option<Vec<_>>>()?;
        let kernel = node.op.operation().kernel(&shapes, &[]).ok()?;
        let mut from = vec![0.0; size];
        kernel.run(Path::detect(), &numbers, 1, &mut from);
        let all: Sources = of_inputs.into_iter().flatten().copied().collect();
        from.into_iter()
            .map(|i| all.get(i as usize).copied())
            .collect()
    }

    /// Number of a layer's outputs, or of the channels of its output.
    fn channels(&self, node: &Node) -> Option<usize> {
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

    /// A text of a few lines must not take long.
    #[test]
    fn values_that_are_taken_twice_and_again_are_followed_once() {
        let mut nodes = r#"{"id": "c0", "op": "dense", "outputs": 2, "inputs": ["z"]}"#.to_owned();
        for i in 1..60 {
            let before = i - 1;
            nodes += &format!(
                r#", {{"id": "b{i}", "op": "concat", "inputs": ["c{before}", "c{before}"]}},
                {{"id": "c{i}", "op": "slice", "start": 0, "end": 2, "inputs": ["b{i}"]}}"#
            );
        }
        let found = gains(&function(&nodes, "c59"), &[3], &[5.0, 7.0]).unwrap();
        assert_eq!(found, [("c0".to_owned(), vec![5.0, 7.0])]);
        // A node with the name of an input is no graph.
        let own = r#"{"id": "z", "op": "reshape", "shape": [2], "inputs": ["z"]}"#;
        assert!(gains(&function(own, "z"), &[2], &[5.0, 7.0]).is_none());
    }
}
