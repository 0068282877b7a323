//! What every operation must obey.

use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::ops::{Op, shapes};

/// Numbers of lanes that fill vectors, and that do not.
const LANES: [usize; 5] = [1, 2, 7, 16, 65];

/// Checks an operation against its definition for one datum, from the values of its inputs and tensors:
///
/// - the output has the promised shape, and the bits of the definition, on every path;
/// - a lane depends on nothing but itself, whatever the others are and however many;
/// - a range of the outputs, data as bytes, and the output in the input's place are the same numbers.
///
/// The values are of wildly different magnitude, so that another order of sums gives other bits.
pub(crate) fn check(
    op: &Op,
    inputs: &[&[usize]],
    definition: impl Fn(&[&[f32]], &[&[f32]]) -> Vec<f32>,
) {
    let mut random = Random(op_seed(op));
    let operation = op.operation();
    let output = shapes::len(&operation.output(inputs).unwrap());
    let specs = operation.tensors(inputs);
    let tensors: Vec<Tensor> = specs
        .into_iter()
        .map(|(_, shape)| {
            let values = random.values(shapes::len(&shape));
            Tensor::new(shape, values).unwrap()
        })
        .collect();
    let tensors: Vec<&Tensor> = tensors.iter().collect();
    let weights: Vec<&[f32]> = tensors.iter().map(|t| &t.values[..]).collect();
    let kernel = operation.kernel(inputs, &tensors).unwrap();
    for lanes in LANES {
        let data: Vec<Vec<Vec<f32>>> = (0..lanes)
            .map(|_| {
                inputs
                    .iter()
                    .map(|shape| random.values(shapes::len(shape)))
                    .collect()
            })
            .collect();
        let of_data = |data: &[Vec<Vec<f32>>]| -> Vec<f32> {
            let lanes = data.iter().map(|x| {
                let x: Vec<&[f32]> = x.iter().map(|x| &x[..]).collect();
                definition(&x, &weights)
            });
            transposed(&lanes.collect::<Vec<_>>())
        };
        let expected = of_data(&data);
        assert_eq!(expected.len(), output * lanes, "{op:?}: shape");
        let values: Vec<Vec<f32>> = (0..inputs.len())
            .map(|i| transposed(&data.iter().map(|x| x[i].clone()).collect::<Vec<_>>()))
            .collect();
        let values: Vec<&[f32]> = values.iter().map(|v| &v[..]).collect();
        for path in Path::available() {
            let what = format!("{op:?}, {lanes} lanes, {}", path.name());
            let mut out = vec![f32::NAN; expected.len()];
            kernel.run(path, &values, lanes, &mut out);
            assert_eq!(bits(&out), bits(&expected), "{what}");
            assert!(out.iter().all(|v| v.is_finite()) || !kernel.keeps_finite());
            for greatest in [f32::MAX, f32::MIN] {
                let all: Vec<Vec<f32>> = values.iter().map(|v| vec![greatest; v.len()]).collect();
                let all: Vec<&[f32]> = all.iter().map(|v| &v[..]).collect();
                kernel.run(path, &all, lanes, &mut out);
                assert!(out.iter().all(|v| v.is_finite()) || !kernel.keeps_finite());
            }
            for first in [0, output / 2, output - 1] {
                if kernel.has_ranges() {
                    let mut part = vec![f32::NAN; (output - first) * lanes];
                    kernel.run_range(path, &values, lanes, first..output, &mut part);
                    assert_eq!(
                        bits(&part),
                        bits(&expected[first * lanes..]),
                        "{what}: {first}"
                    );
                }
            }
            if let [only] = values[..] {
                let mut in_place = only.to_vec();
                if kernel.run_in_place(path, &mut in_place) {
                    assert_eq!(bits(&in_place), bits(&expected), "{what}: in place");
                }
                let parts: Vec<&[f32]> = only.chunks(3 * lanes).collect();
                let mut out = vec![f32::NAN; expected.len()];
                if kernel.run_parts(path, &parts, lanes, &mut out) {
                    assert_eq!(bits(&out), bits(&expected), "{what}: parts");
                }
                let bytes: Vec<Vec<u8>> = (0..lanes)
                    .map(|_| random.bytes(only.len() / lanes))
                    .collect();
                let mut out = vec![f32::NAN; expected.len()];
                if kernel.run_bytes(path, &bytes.concat(), lanes, &mut out) {
                    let numbers =
                        |row: &Vec<u8>| vec![row.iter().copied().map(f32::from).collect()];
                    let rows: Vec<Vec<Vec<f32>>> = bytes.iter().map(numbers).collect();
                    assert_eq!(bits(&out), bits(&of_data(&rows)), "{what}: bytes");
                }
            }
        }
    }
}

/// `[lanes, features]` to `[features, lanes]`.
fn transposed(rows: &[Vec<f32>]) -> Vec<f32> {
    let features = 0..rows[0].len();
    features
        .flat_map(|f| rows.iter().map(move |row| row[f]))
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn op_seed(op: &Op) -> u64 {
    let text = serde_json::to_string(op).unwrap();
    text.bytes()
        .fold(1, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte))
}

/// A linear congruential generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        let mut value = || {
            let unit = self.next() as f32 / 2_147_483_648.0 - 0.5;
            // Sums of the greatest stay finite; +0, since -0 is none that a network meets first.
            match self.next() % 8 {
                0 => 0.0,
                1 => unit * 1e6,
                2 => unit * 1e-30,
                3 => f32::from_bits(3),
                _ => unit,
            }
        };
        (0..count).map(|_| value()).collect()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut byte = || match self.next() % 4 {
            0 => (self.next() % 256) as u8,
            1 => 1,
            _ => 0,
        };
        (0..count).map(|_| byte()).collect()
    }
}
