//! Multiply-adds a second of each operation on one core, beside those of the dense layer.
//!
//! Runs of the two alternate, and the best of each is taken: `cargo bench -p bbans-benches --bench operations`.

use std::time::{Duration, Instant};

use bbans::nn::Tensor;
use bbans::nn::ops::{Conv2d, ConvTranspose2d, Dense, Kernel, Op};
use bbans::nn::simd::Path;

/// One kernel on values, and how much it computes.
struct Work {
    kernel: Box<dyn Kernel>,
    values: Vec<f32>,
    out: Vec<f32>,
    lanes: usize,
    multiply_adds: f64,
}

impl Work {
    fn new(op: &Op, shape: &[usize], lanes: usize) -> Self {
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
        let specs = operation.tensors(&[shape]);
        let tensors: Vec<Tensor> = specs
            .into_iter()
            .map(|(_, shape)| {
                let values = values(shape.iter().product());
                Tensor::new(shape, values).expect(fits)
            })
            .collect();
        let tensors: Vec<&Tensor> = tensors.iter().collect();
        let outputs: usize = operation.output(&[shape]).expect(fits).iter().product();
        Self {
            kernel: operation.kernel(&[shape], &tensors).expect(fits),
            values: values(shape.iter().product::<usize>() * lanes),
            out: vec![0.0; outputs * lanes],
            lanes,
            multiply_adds: operation.multiply_adds(&[shape]) as f64 * lanes as f64,
        }
    }

    fn run(&mut self, path: Path) -> Duration {
        let begun = Instant::now();
        (self.kernel).run(path, &[&self.values], self.lanes, &mut self.out);
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
        let mut work = Work::new(&op, shape, lanes);
        let mut beside = Work::new(&dense, &[784], 64);
        let (mut of_work, mut of_dense) = (Duration::MAX, Duration::MAX);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            of_work = of_work.min(work.run(path));
            for _ in 0..4 {
                of_dense = of_dense.min(beside.run(path));
            }
        }
        let speed = |work: &Work, time: Duration| work.multiply_adds / time.as_secs_f64() / 1e9;
        let (speed, dense) = (speed(&work, of_work), speed(&beside, of_dense));
        let [channels, rows, columns] = [shape[0], shape[1], shape[2]];
        println!(
            "{name:28} {channels}x{rows}x{columns}, {lanes:2} lanes: {speed:6.1}  {:4.0}% of {dense:.1}",
            100.0 * speed / dense
        );
    }
}
