//! What every operation must obey: fused and composed of candle's operations it has the same values, and its
//! derivatives are those of candle's and of differences.

use bbans_nn::ops::{Op, Operation};
use candle_core::{Device, Tensor, Var};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{composed, forward};
use crate::noise::fill_normal;

const LANES: usize = 5;

/// All operations with shapes of their inputs.
const CASES: &[(&str, &[&[usize]])] = &[
    (r#"{"op":"dense","outputs":7}"#, &[&[3, 4]]),
    (r#"{"op":"cells","count":3,"outputs":4}"#, &[&[3, 5]]),
    (
        r#"{"op":"conv2d","channels":6,"kernel":[3,3],"padding":[1,1,1,1]}"#,
        &[&[2, 5, 7]],
    ),
    (
        r#"{"op":"conv2d","channels":3,"kernel":[1,1]}"#,
        &[&[5, 3, 4]],
    ),
    (
        r#"{"op":"conv2d","channels":6,"kernel":[3,3],"stride":[2,2],"padding":[0,1,2,0]}"#,
        &[&[3, 8, 9]],
    ),
    (
        r#"{"op":"conv2d","channels":4,"kernel":[4,4],"stride":[2,2],"padding":[1,1,1,1],"groups":2}"#,
        &[&[6, 8, 6]],
    ),
    (
        r#"{"op":"conv2d","channels":2,"kernel":[2,3],"stride":[3,2],"padding":[2,1,3,3],"dilation":[2,3]}"#,
        &[&[2, 7, 6]],
    ),
    (
        r#"{"op":"conv2d","channels":4,"kernel":[2,2],"padding":[5,5,5,5],"groups":4}"#,
        &[&[4, 1, 2]],
    ),
    (
        r#"{"op":"conv2d","channels":5,"kernel":[3,2],"stride":[3,4]}"#,
        &[&[5, 5, 5]],
    ),
    (
        r#"{"op":"conv_transpose2d","channels":3,"kernel":[4,4],"stride":[2,2],"padding":[1,1,1,1]}"#,
        &[&[5, 3, 4]],
    ),
    (
        r#"{"op":"conv_transpose2d","channels":4,"kernel":[3,3],"padding":[1,1,0,2]}"#,
        &[&[2, 4, 5]],
    ),
    (
        r#"{"op":"conv_transpose2d","channels":6,"kernel":[3,2],"stride":[2,3],"padding":[1,0,2,0],"output_padding":[1,4],"dilation":[2,1],"groups":2}"#,
        &[&[4, 3, 4]],
    ),
    (
        r#"{"op":"conv_transpose2d","channels":2,"kernel":[1,1],"stride":[3,3],"padding":[0,0,1,1]}"#,
        &[&[2, 3, 3]],
    ),
    (r#"{"op":"add"}"#, &[&[3, 4], &[3, 4]]),
    (r#"{"op":"mul"}"#, &[&[3, 4], &[3, 4]]),
    (r#"{"op":"concat"}"#, &[&[3, 4], &[2, 4]]),
    (r#"{"op":"slice","start":1,"end":3}"#, &[&[4, 3]]),
    (r#"{"op":"reshape","shape":[2,6]}"#, &[&[4, 3]]),
    (r#"{"op":"permute","axes":[2,0,1]}"#, &[&[2, 3, 4]]),
    (r#"{"op":"upsample","factor":[2,3]}"#, &[&[2, 3, 2]]),
    (r#"{"op":"pixel_shuffle","factor":2}"#, &[&[8, 2, 3]]),
    (r#"{"op":"pixel_unshuffle","factor":2}"#, &[&[2, 4, 6]]),
    (
        r#"{"op":"max_pool","kernel":[3,2],"stride":[1,3],"padding":[1,2,0,1]}"#,
        &[&[2, 5, 7]],
    ),
    (
        r#"{"op":"average_pool","kernel":[3,2],"stride":[1,3],"padding":[1,2,0,1]}"#,
        &[&[2, 5, 7]],
    ),
    (r#"{"op":"global_mean"}"#, &[&[3, 4, 2]]),
    (
        r#"{"op":"group_norm","groups":2,"eps":1e-5}"#,
        &[&[6, 3, 5]],
    ),
    (r#"{"op":"group_norm","groups":5,"eps":1e-2}"#, &[&[10]]),
    (r#"{"op":"layer_norm","eps":1e-5}"#, &[&[3, 20]]),
    (r#"{"op":"layer_norm","axes":2,"eps":1e-5}"#, &[&[2, 3, 5]]),
    (r#"{"op":"scale_shift"}"#, &[&[3, 4, 6]]),
    (r#"{"op":"matmul"}"#, &[&[3, 4], &[4, 2]]),
    (r#"{"op":"softmax"}"#, &[&[3, 4]]),
    (r#"{"op":"constant","shape":[2,3]}"#, &[]),
    (r#"{"op":"relu"}"#, &[&[40]]),
    (r#"{"op":"leaky_relu","slope":0.2}"#, &[&[40]]),
    (r#"{"op":"elu"}"#, &[&[40]]),
    (r#"{"op":"silu"}"#, &[&[40]]),
    (r#"{"op":"gelu"}"#, &[&[40]]),
    (r#"{"op":"gelu","tanh":true}"#, &[&[40]]),
    (r#"{"op":"sigmoid"}"#, &[&[40]]),
    (r#"{"op":"tanh"}"#, &[&[40]]),
    (r#"{"op":"softplus"}"#, &[&[40]]),
    (r#"{"op":"mish"}"#, &[&[40]]),
    (r#"{"op":"exp"}"#, &[&[40]]),
    (r#"{"op":"clamp","min":-0.5,"max":0.7}"#, &[&[40]]),
    (
        r#"{"op":"tiles","rows":2,"columns":3,"height":2,"width":2}"#,
        &[&[6, 8]],
    ),
];

/// A function of some values, and a scalar of it whose derivatives by all of them can be compared.
struct Case {
    op: Op,
    inputs: usize,
    values: Vec<Var>,
    weights: Tensor,
}

impl Case {
    fn new(text: &str, shapes: &[&[usize]], rng: &mut ChaCha8Rng) -> Self {
        let op: Op = serde_json::from_str(text).unwrap();
        let mut draw = |shape: &[usize]| {
            let mut values = vec![0.0; shape.iter().product()];
            fill_normal(rng, &mut values);
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let operation: &dyn Operation = op.operation();
        let of_lanes = |shape: &[usize]| [shape, &[LANES]].concat();
        let output = of_lanes(&operation.output(shapes).unwrap());
        let tensors = operation
            .tensors(shapes)
            .into_iter()
            .map(|(_, shape)| shape);
        let all: Vec<Vec<usize>> = (shapes.iter())
            .map(|shape| of_lanes(shape))
            .chain(tensors)
            .collect();
        Self {
            inputs: shapes.len(),
            values: all
                .iter()
                .map(|s| Var::from_tensor(&draw(s)).unwrap())
                .collect(),
            weights: draw(&output),
            op,
        }
    }

    fn scalar(&self, fused: bool) -> (Tensor, Tensor) {
        let values: Vec<Tensor> = self.values.iter().map(|v| v.as_tensor().clone()).collect();
        let (inputs, tensors) = values.split_at(self.inputs);
        let run = if fused { forward } else { composed };
        let y = run(&self.op, inputs, tensors, LANES).unwrap();
        let sum = (&y * &self.weights).unwrap().sum_all().unwrap();
        (y, sum)
    }

    fn derivatives(&self, fused: bool) -> Vec<Vec<f32>> {
        let grads = self.scalar(fused).1.backward().unwrap();
        (self.values.iter())
            .map(|v| numbers(grads.get(v).unwrap()))
            .collect()
    }
}

fn numbers(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn close(what: &str, a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!(
            (a - b).abs() <= tolerance * (1.0 + b.abs()),
            "{what}: {a} {b}"
        );
    }
}

#[test]
fn fused_and_composed_are_the_same() {
    for (text, shapes) in CASES {
        let case = Case::new(text, shapes, &mut ChaCha8Rng::seed_from_u64(1));
        let [a, b] = [true, false].map(|fused| case.scalar(fused).0);
        assert_eq!(a.dims(), b.dims(), "{text}");
        close(text, &numbers(&a), &numbers(&b), 1e-5);
        for (a, b) in case.derivatives(true).iter().zip(case.derivatives(false)) {
            close(text, a, &b, 1e-4);
        }
    }
}

/// A difference of the scalar in a direction is the product of the derivatives and the direction.
#[test]
fn derivatives_are_those_of_differences() {
    // Beyond the numbers where the derivative jumps, a few of which a step crosses.
    let rough = ["max_pool", "\"relu", "leaky", "clamp"];
    for (text, shapes) in CASES
        .iter()
        .filter(|(t, _)| !rough.iter().any(|r| t.contains(r)))
    {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let case = Case::new(text, shapes, &mut rng);
        let by = case.derivatives(true);
        for (value, by) in case.values.iter().zip(by) {
            let mut direction = vec![0.0; by.len()];
            fill_normal(&mut rng, &mut direction);
            let direction = Tensor::from_vec(direction, value.shape(), &Device::Cpu).unwrap();
            let before = value.as_tensor().copy().unwrap();
            let at = |step: f64| {
                value
                    .set(&(&before + (&direction * step).unwrap()).unwrap())
                    .unwrap();
                let y = case
                    .scalar(true)
                    .0
                    .to_dtype(candle_core::DType::F64)
                    .unwrap();
                let weights = case.weights.to_dtype(candle_core::DType::F64).unwrap();
                (y * weights)
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f64>()
                    .unwrap()
            };
            let step = 3e-3;
            let found = (at(step) - at(-step)) / (2.0 * step);
            value.set(&before).unwrap();
            let terms = numbers(&direction);
            let expected: f64 = (terms.iter().zip(&by)).map(|(d, b)| f64::from(d * b)).sum();
            let size: f64 = (terms.iter().zip(&by))
                .map(|(d, b)| f64::from((d * b).powi(2)))
                .sum();
            assert!(
                (found - expected).abs() < 0.02 * (1.0 + size.sqrt()),
                "{text}: {found} {expected}"
            );
        }
    }
}

#[test]
fn every_operation_has_a_case() {
    let of = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["op"].clone();
    let mut found: Vec<String> = CASES
        .iter()
        .map(|(text, _)| of(text).as_str().unwrap().replace('_', ""))
        .collect();
    found.sort();
    found.dedup();
    let mut all: Vec<String> = Op::NAMES.iter().map(|name| name.to_lowercase()).collect();
    all.sort();
    assert_eq!(found, all);
}
