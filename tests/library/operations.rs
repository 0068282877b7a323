//! Operations against the values of PyTorch: tests/reference/operations.py made them.

use std::collections::BTreeSet;

use bbans::nn::Tensor;
use bbans::nn::ops::Op;
use bbans::nn::simd::Path;
use safetensors::SafeTensors;

use crate::support::golden;

/// Names of the operations that have no case: they compute nothing.
const WITHOUT: [&str; 1] = ["constant"];

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
        kernel.run(Path::detect(), &inputs, lanes, &mut out);
        for (found, expected) in out.iter().zip(by_lanes(&expected, lanes)) {
            // Rounding, of sums of a few hundred terms about 1.
            let error = (found - expected).abs();
            assert!(
                error <= 3e-6 + 1e-5 * expected.abs(),
                "{case}: {found} {expected}"
            );
        }
    }
    let kinds: BTreeSet<String> = kinds.iter().map(|kind| kind.replace('_', "")).collect();
    let all = Op::NAMES.iter().map(|name| name.to_lowercase());
    assert_eq!(
        kinds,
        all.collect(),
        "operations without a case, or cases without one"
    );
}
