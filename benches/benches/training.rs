//! Operations as they are trained, value and derivatives, fused and in candle's own operations:
//! `cargo bench --bench training`.

use bbans::nn::ops::Op;
use bbans_train::ops::{composed, forward};
use candle_core::{Device, Result, Tensor, Var};
use divan::Bencher;

fn main() {
    divan::main();
}

const LANES: usize = 64;

/// An operation, and the shape of its input.
const OPERATIONS: [(&str, &[usize]); 9] = [
    (
        r#"{"op":"conv2d","channels":32,"kernel":[3,3],"padding":[1,1,1,1]}"#,
        &[32, 14, 14],
    ),
    (
        r#"{"op":"conv2d","channels":64,"kernel":[3,3],"stride":[2,2],"padding":[1,1,1,1]}"#,
        &[32, 14, 14],
    ),
    (
        r#"{"op":"conv_transpose2d","channels":32,"kernel":[4,4],"stride":[2,2],"padding":[1,1,1,1]}"#,
        &[64, 7, 7],
    ),
    (
        r#"{"op":"group_norm","groups":8,"eps":1e-5}"#,
        &[32, 14, 14],
    ),
    (r#"{"op":"silu"}"#, &[32, 14, 14]),
    (r#"{"op":"gelu"}"#, &[32, 14, 14]),
    (r#"{"op":"upsample","factor":[2,2]}"#, &[32, 7, 7]),
    (
        r#"{"op":"max_pool","kernel":[2,2],"stride":[2,2]}"#,
        &[32, 14, 14],
    ),
    (r#"{"op":"softmax"}"#, &[49, 49]),
];

type Run = fn(&Op, &[Tensor], &[Tensor], usize) -> Result<Tensor>;

/// Value and derivatives by the input and the tensors.
fn run(bencher: Bencher, (text, shape): (&str, &[usize]), run: Run) {
    let op: Op = serde_json::from_str(text).unwrap();
    let draw = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0);
        Var::from_tensor(
            &Tensor::from_iter(values, &Device::Cpu)
                .unwrap()
                .reshape(shape)
                .unwrap(),
        )
    };
    let x = draw(&[shape, &[LANES]].concat()).unwrap();
    let specs = op.operation().tensors(&[shape]).into_iter();
    let vars: Vec<Var> = specs.map(|(_, shape)| draw(&shape).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    bencher.bench_local(|| {
        let inputs = [x.as_tensor().clone()];
        let y = run(&op, &inputs, &tensors, LANES).unwrap();
        y.sum_all().unwrap().backward().unwrap()
    });
}

#[divan::bench(args = OPERATIONS)]
fn fused(bencher: Bencher, operation: (&str, &[usize])) {
    run(bencher, operation, forward);
}

#[divan::bench(args = OPERATIONS)]
fn in_candle(bencher: Bencher, operation: (&str, &[usize])) {
    run(bencher, operation, composed);
}
