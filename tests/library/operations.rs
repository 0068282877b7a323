//! Operations against the values of PyTorch, which tests/reference/operations.py made, and against candle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bbans::nn::Tensor;
use bbans::nn::graph::Function;
use bbans::nn::import::{Arch, import};
use bbans::nn::ops::Op;
use bbans::nn::simd::Path as SimdPath;
use safetensors::SafeTensors;

use crate::support::golden;
use crate::support::graphs::graph_model_files;

/// Names of the operations that PyTorch does not have.
const WITHOUT: [&str; 3] = ["constant", "cells", "tiles"];

fn values(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = file.tensor(name).unwrap();
    let (values, _) = view.data().as_chunks();
    let values = values.iter().map(|&b| f32::from_le_bytes(b)).collect();
    (view.shape().to_vec(), values)
}

/// `[lanes, features]` to `[features, lanes]`.
fn by_lanes(values: &[f32], lanes: usize) -> Vec<f32> {
    let features = values.len() / lanes;
    let feature = |f: usize| (0..lanes).map(move |lane| values[lane * features + f]);
    (0..features).flat_map(feature).collect()
}

/// Within rounding, of sums of a few hundred terms about 1.
fn check(case: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{case}");
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        assert!(
            error <= 3e-6 + 1e-5 * expected.abs(),
            "{case}: {found} {expected}"
        );
    }
}

/// The values of candle's own operations, `[features, lanes]`.
fn in_candle(
    op: &Op,
    shapes: &[&[usize]],
    inputs: &[&[f32]],
    tensors: &[&Tensor],
    lanes: usize,
) -> Vec<f32> {
    let device = candle_core::Device::Cpu;
    let tensor = |values: &[f32], shape: &[usize]| {
        candle_core::Tensor::from_slice(values, shape, &device).unwrap()
    };
    let inputs = inputs.iter().zip(shapes);
    let inputs: Vec<_> = inputs
        .map(|(x, shape)| tensor(x, &[*shape, &[lanes]].concat()))
        .collect();
    let tensors: Vec<_> = tensors
        .iter()
        .map(|t| tensor(&t.values, &t.shape))
        .collect();
    let y = bbans_train::ops::composed(op, &inputs, &tensors, lanes).unwrap();
    y.flatten_all().unwrap().to_vec1().unwrap()
}

/// What PyTorch has not, and whole functions: those of the examples of docs/import.md, and of the small models here.
#[test]
fn every_function_agrees_with_candle() {
    let mut files = graph_model_files();
    for name in ["conv-vae", "ladder-vae", "attention-vae"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/import/{name}"));
        let arch = std::fs::read_to_string(folder.join("arch.json")).unwrap();
        let weights = std::fs::read(folder.join("weights.safetensors")).unwrap();
        let imported = import(&weights, &Arch::from_json(&arch).unwrap()).unwrap();
        files.push(imported.file);
    }
    // Chains of layers; cells and tiles.
    files.push(crate::support::tiny_model_file("tiny", 7));
    files.push(crate::support::causal_model_file("causal", 3));
    for file in files {
        let graphs = file.description.graphs(&file.tensors).unwrap();
        let encode = graphs.encode.as_ref().unwrap();
        let mut shapes = BTreeMap::from([(
            encode.inputs[0].clone(),
            file.description.data_shape.clone(),
        )]);
        let mut draws = Draws(1);
        draws.function(encode, &file, &mut shapes);
        let others = graphs.groups.iter().flat_map(|group| {
            let before = group.prior.iter().chain([&group.posterior]);
            before
                .map(move |f| (f, group))
                .chain(group.update.iter().map(move |f| (f, group)))
        });
        graphs
            .start
            .iter()
            .for_each(|f| draws.function(f, &file, &mut shapes));
        for (function, group) in others {
            shapes.insert(group.latents.clone(), group.shape.clone());
            draws.function(function, &file, &mut shapes);
        }
        draws.function(&graphs.decode, &file, &mut shapes);
    }
}

/// Inputs of functions, about as large as activations are.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Node by node, from the same inputs: errors do not add up.
    fn function(
        &mut self,
        function: &Function,
        file: &bbans::nn::ModelFile,
        shapes: &mut BTreeMap<String, Vec<usize>>,
    ) {
        const LANES: usize = 3;
        for node in &function.nodes {
            let of_inputs: Vec<Vec<usize>> = (node.inputs.iter())
                .map(|input| shapes[input].clone())
                .collect();
            let of_inputs: Vec<&[usize]> = of_inputs.iter().map(|shape| &shape[..]).collect();
            let operation = node.op.operation();
            let tensors: Vec<&Tensor> = (operation.tensors(&of_inputs).iter())
                .map(|(part, _)| &file.tensors[&format!("{}.{part}", node.id)])
                .collect();
            let inputs: Vec<Vec<f32>> = (of_inputs.iter())
                .map(|shape| {
                    (0..shape.iter().product::<usize>() * LANES)
                        .map(|_| self.next())
                        .collect()
                })
                .collect();
            let inputs: Vec<&[f32]> = inputs.iter().map(|x| &x[..]).collect();
            let output = operation.output(&of_inputs).unwrap();
            let mut out = vec![f32::NAN; output.iter().product::<usize>() * LANES];
            let kernel = operation.kernel(&of_inputs, &tensors).unwrap();
            kernel.run(SimdPath::detect(), &inputs, LANES, &mut out);
            let candle = in_candle(&node.op, &of_inputs, &inputs, &tensors, LANES);
            check(&node.id, &out, &candle);
            shapes.insert(node.id.clone(), output);
        }
    }
}

#[test]
fn every_operation_agrees_with_pytorch() {
    let bytes = std::fs::read(golden().join("operations.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut kinds: BTreeSet<String> = WITHOUT.iter().map(ToString::to_string).collect();
    for (case, json) in metadata.metadata().as_ref().unwrap() {
        let op: Op = serde_json::from_str(json).unwrap();
        let fields: serde_json::Value = serde_json::from_str(json).unwrap();
        kinds.insert(fields["op"].as_str().unwrap().to_owned());
        let (mut shapes, mut inputs, mut lanes) = (Vec::new(), Vec::new(), 0);
        for i in 0..2 {
            let name = format!("{case}.x{i}");
            if file.tensor(&name).is_ok() {
                let (shape, x) = values(&file, &name);
                lanes = shape[0];
                shapes.push(shape[1..].to_vec());
                inputs.push(by_lanes(&x, lanes));
            }
        }
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let operation = op.operation();
        let tensors: Vec<Tensor> = (operation.tensors(&shapes).into_iter())
            .map(|(part, shape)| {
                let (found, values) = values(&file, &format!("{case}.{part}"));
                assert_eq!(found, shape, "{case}.{part}");
                Tensor::new(shape, values).unwrap()
            })
            .collect();
        let tensors: Vec<&Tensor> = tensors.iter().collect();
        let (shape, expected) = values(&file, &format!("{case}.y"));
        assert_eq!(operation.output(&shapes).unwrap(), shape[1..], "{case}");
        let kernel = operation.kernel(&shapes, &tensors).unwrap();
        let mut out = vec![f32::NAN; expected.len()];
        kernel.run(SimdPath::detect(), &inputs, lanes, &mut out);
        check(case, &out, &by_lanes(&expected, lanes));
        let candle = in_candle(&op, &shapes, &inputs, &tensors, lanes);
        check(case, &out, &candle);
    }
    let kinds: BTreeSet<String> = kinds.iter().map(|kind| kind.replace('_', "")).collect();
    let all = Op::NAMES.iter().map(|name| name.to_lowercase());
    assert_eq!(
        kinds,
        all.collect(),
        "operations without a case, or cases without one"
    );
}
