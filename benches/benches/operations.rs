//! Multiply-adds a second of each operation on one core, beside those of the dense layer; of operations without a sum of
//! products their outputs a second, beside a copy.
//!
//! Runs of the two alternate, and the best of each is taken: `cargo bench -p bbans-benches --bench operations`.

use std::time::{Duration, Instant};

use bbans::nn::Tensor;
use bbans::nn::ops::{Conv2d, ConvTranspose2d, Dense, Kernel, Op};
use bbans::nn::simd::Path;

/// One kernel on values, and how much it computes.
struct Work {
    kernel: Box<dyn Kernel>,
    inputs: Vec<Vec<f32>>,
    out: Vec<f32>,
    lanes: usize,
    multiply_adds: f64,
}

impl Work {
    fn new(op: &Op, shapes: &[&[usize]], lanes: usize) -> Self {
        let operation = op.operation();
        let fits = "the operation takes this shape";
        let mut n = 0u32;
        let mut values = |count: usize| -> Vec<f32> {
            let mut value = || {
                n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (n >> 8) as f32 / 16_777_216.0 - 0.5
            };
            (0..count).map(|_| value()).collect()
        };
        let specs = operation.tensors(shapes);
        let tensors: Vec<Tensor> = specs
            .into_iter()
            .map(|(_, shape)| {
                let values = values(shape.iter().product());
                Tensor::new(shape, values).expect(fits)
            })
            .collect();
        let tensors: Vec<&Tensor> = tensors.iter().collect();
        let outputs: usize = operation.output(shapes).expect(fits).iter().product();
        Self {
            kernel: operation.kernel(shapes, &tensors).expect(fits),
            inputs: (shapes.iter())
                .map(|shape| values(shape.iter().product::<usize>() * lanes))
                .collect(),
            out: vec![0.0; outputs * lanes],
            lanes,
            multiply_adds: operation.multiply_adds(shapes) as f64 * lanes as f64,
        }
    }

    fn run(&mut self, path: Path) -> Duration {
        let inputs: Vec<&[f32]> = self.inputs.iter().map(|x| &x[..]).collect();
        let begun = Instant::now();
        (self.kernel).run(path, &inputs, self.lanes, &mut self.out);
        std::hint::black_box(&mut self.out);
        begun.elapsed()
    }
}

fn conv(channels: usize, kernel: usize) -> Conv2d {
    Conv2d {
        channels,
        kernel: [kernel; 2],
        stride: [1, 1],
        padding: [kernel / 2; 4],
        dilation: [1, 1],
        groups: 1,
    }
}

fn main() {
    let path = Path::detect();
    let up = ConvTranspose2d {
        channels: 32,
        kernel: [4, 4],
        stride: [2, 2],
        padding: [1; 4],
        output_padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };
    let down = Conv2d {
        stride: [2, 2],
        ..conv(64, 3)
    };
    let depthwise = Conv2d {
        groups: 32,
        ..conv(32, 3)
    };
    let (small, large): (&[usize], &[usize]) = (&[32, 28, 28], &[32, 512, 512]);
    let works: Vec<(&str, Op, &[usize], usize)> = vec![
        ("conv2d 3x3, 32 to 32", Op::Conv2d(conv(32, 3)), small, 64),
        ("conv2d 3x3, 32 to 32", Op::Conv2d(conv(32, 3)), small, 1),
        ("conv2d 3x3, 32 to 32", Op::Conv2d(conv(32, 3)), large, 1),
        ("conv2d 1x1, 32 to 32", Op::Conv2d(conv(32, 1)), small, 64),
        ("conv2d 5x5, 32 to 32", Op::Conv2d(conv(32, 5)), small, 64),
        (
            "conv2d 3x3 by 2, 32 to 64",
            Op::Conv2d(down.clone()),
            small,
            64,
        ),
        ("conv2d 3x3 by 2, 32 to 64", Op::Conv2d(down), large, 1),
        (
            "conv2d 3x3 depthwise, 32",
            Op::Conv2d(depthwise.clone()),
            small,
            64,
        ),
        ("conv2d 3x3 depthwise, 32", Op::Conv2d(depthwise), large, 1),
        (
            "conv_transpose2d 4x4 by 2",
            Op::ConvTranspose2d(up.clone()),
            small,
            64,
        ),
        (
            "conv_transpose2d 4x4 by 2",
            Op::ConvTranspose2d(up),
            &[32, 256, 256],
            1,
        ),
    ];
    let dense = Op::Dense(Dense { outputs: 512 });
    println!(
        "{} path, one core; GMAC/s, and of what the dense layer does",
        path.name()
    );
    for (name, op, shape, lanes) in works {
        let mut work = Work::new(&op, &[shape], lanes);
        let mut beside = Work::new(&dense, &[&[784]], 64);
        let [of_work, of_dense] = best_of(path, &mut work, &mut beside, 4);
        let speed = |work: &Work, time: Duration| work.multiply_adds / time.as_secs_f64() / 1e9;
        let (speed, dense) = (speed(&work, of_work), speed(&beside, of_dense));
        println!(
            "{name:28} {:?}, {lanes:2} lanes: {speed:6.1}  {:4.0}% of {dense:.1}",
            shape,
            100.0 * speed / dense
        );
    }
    others(path);
}

/// The best times of both, in turns: `count` of the second for each of the first.
fn best_of(path: Path, work: &mut Work, beside: &mut Work, count: usize) -> [Duration; 2] {
    let (mut of_work, mut of_beside) = (Duration::MAX, Duration::MAX);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        of_work = of_work.min(work.run(path));
        for _ in 0..count {
            of_beside = of_beside.min(beside.run(path));
        }
    }
    [of_work, of_beside]
}

/// Operations by their outputs, on pictures of 64 lanes beside a copy of as many.
fn others(path: Path) {
    const PICTURE: &[usize] = &[32, 28, 28];
    let copy: Op = serde_json::from_str(r#"{"op": "reshape", "shape": [25088]}"#).expect("valid");
    println!("outputs a second, in 10^9, and of what a copy does; [32, 28, 28], 64 lanes");
    let of_one = [
        r#"{"op": "relu"}"#,
        r#"{"op": "leaky_relu", "slope": 0.01}"#,
        r#"{"op": "elu"}"#,
        r#"{"op": "silu"}"#,
        r#"{"op": "gelu"}"#,
        r#"{"op": "gelu", "tanh": true}"#,
        r#"{"op": "sigmoid"}"#,
        r#"{"op": "tanh"}"#,
        r#"{"op": "softplus"}"#,
        r#"{"op": "exp"}"#,
        r#"{"op": "clamp", "min": -0.3, "max": 0.3}"#,
        r#"{"op": "scale_shift"}"#,
        r#"{"op": "group_norm", "groups": 8, "eps": 1e-5}"#,
        r#"{"op": "layer_norm", "eps": 1e-5}"#,
        r#"{"op": "softmax"}"#,
        r#"{"op": "max_pool", "kernel": [2, 2], "stride": [2, 2]}"#,
        r#"{"op": "average_pool", "kernel": [2, 2], "stride": [2, 2]}"#,
        r#"{"op": "global_mean"}"#,
        r#"{"op": "upsample", "factor": [2, 2]}"#,
        r#"{"op": "pixel_shuffle", "factor": 2}"#,
        r#"{"op": "pixel_unshuffle", "factor": 2}"#,
        r#"{"op": "slice", "start": 8, "end": 24}"#,
        r#"{"op": "reshape", "shape": [25088]}"#,
        r#"{"op": "permute", "axes": [1, 2, 0]}"#,
        r#"{"op": "tiles", "rows": 7, "columns": 7, "height": 4, "width": 4}"#,
        r#"{"op": "cells", "count": 784, "outputs": 32}"#,
        r#"{"op": "constant", "shape": [32, 28, 28]}"#,
        r#"{"op": "add"}"#,
        r#"{"op": "mul"}"#,
        r#"{"op": "concat"}"#,
        r#"{"op": "matmul"}"#,
    ];
    for text in of_one {
        let op: Op = serde_json::from_str(text).expect("valid");
        let shapes: &[&[usize]] = match op {
            Op::Constant(_) => &[],
            Op::Add(_) | Op::Mul(_) | Op::Concat(_) => &[PICTURE, PICTURE],
            Op::Matmul(_) => &[&[49, 32], &[32, 49]],
            _ => &[PICTURE],
        };
        let mut work = Work::new(&op, shapes, 64);
        let mut beside = Work::new(&copy, &[PICTURE], 64);
        let [of_work, of_copy] = best_of(path, &mut work, &mut beside, 1);
        let speed = |work: &Work, time: Duration| work.out.len() as f64 / time.as_secs_f64() / 1e9;
        let (speed, copy) = (speed(&work, of_work), speed(&beside, of_copy));
        println!(
            "{text:72} {speed:6.2}  {:4.0}% of {copy:.2}",
            100.0 * speed / copy
        );
    }
}
