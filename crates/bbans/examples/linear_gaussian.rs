//! A linear-Gaussian model, with its exact posterior: the code length is known in closed form.
//!
//! `z ~ N(0, 1)`, `x_d | z ~ N(w_d z, s^2)`, rounded to a grid. Then `x ~ N(0, w w' + s^2 I)` and
//! `z | x ~ N(v w'x / s^2, v)` with `v = 1 / (1 + w'w / s^2)`.
//!
//! Run it with `cargo run --release -p bbans --example linear_gaussian`.

use bbans::distributions::{Bins, Categorical, gaussian_bins, normal_cdf, uniform_bins};
use bbans::nn::bins::{CENTRES, EDGES, insert_standard_normal};
use bbans::{Codec, Error, Independent, LatentModel, Result, block};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const W: [f32; 4] = [1.0, -0.5, 2.0, 0.25];
const NOISE: f32 = 0.5;
/// Points of the grid, from -10 to 10.
const GRID: u32 = 320;
const STEP: f32 = 20.0 / GRID as f32;
const BIN_PRECISION: u32 = 12;

struct LinearGaussian {
    bins: Bins,
    centres: Vec<f32>,
}

/// The value of grid point `x`.
fn value(x: u32) -> f32 {
    (x as f32 + 0.5) * STEP - 10.0
}

impl LinearGaussian {
    fn new() -> Result<Self> {
        let mut tensors = std::collections::BTreeMap::new();
        insert_standard_normal(&mut tensors, BIN_PRECISION).map_err(Error::model)?;
        let mut take = |name| tensors.remove(name).map(|t| t.values).unwrap_or_default();
        Ok(Self {
            bins: Bins::new(&take(EDGES))?,
            centres: take(CENTRES),
        })
    }

    /// `-log2` of the density of `x` times the volume of its cell.
    fn bits(x: &[u32]) -> f64 {
        let (mut ww, mut wx, mut xx) = (0.0, 0.0, 0.0);
        for (&w, &x) in W.iter().zip(x) {
            let (w, x) = (f64::from(w), f64::from(value(x)));
            (ww, wx, xx) = (ww + w * w, wx + w * x, xx + x * x);
        }
        let (s2, n) = (f64::from(NOISE * NOISE), W.len() as f64);
        // The matrix determinant lemma and the Sherman-Morrison formula.
        let log_det = n * s2.ln() + (1.0 + ww / s2).ln();
        let quadratic = xx / s2 - wx * wx / (s2 * s2) / (1.0 + ww / s2);
        let nats = 0.5 * (n * std::f64::consts::TAU.ln() + log_det + quadratic);
        nats / std::f64::consts::LN_2 - n * f64::from(STEP).log2()
    }
}

impl LatentModel for LinearGaussian {
    type X = u32;
    type Z = u16;

    fn dims(&self) -> usize {
        W.len()
    }

    fn posterior_bits(&self) -> f64 {
        f64::from(BIN_PRECISION)
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        uniform_bins(lanes, 1, BIN_PRECISION)
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let rows = z
            .iter()
            .map(|&bin| W.map(|w| on_grid(w * self.centres[usize::from(bin)])));
        let grids: Vec<[Categorical; 4]> = rows.map(transpose).collect::<Result<_>>()?;
        Ok(Independent::new(z.nrows(), W.len(), |lane, dim| {
            grids[lane][dim].clone()
        }))
    }

    fn posterior(&self, x: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let ww: f32 = W.iter().map(|w| w * w).sum();
        let variance = 1.0 / (1.0 + ww / (NOISE * NOISE));
        let dot = |x: ndarray::ArrayView1<'_, u32>| {
            x.iter().zip(W).map(|(&x, w)| w * value(x)).sum::<f32>()
        };
        let mean = x
            .rows()
            .into_iter()
            .map(|x| variance * dot(x) / (NOISE * NOISE))
            .collect();
        let mean = Array2::from_shape_vec((1, x.nrows()), mean).map_err(Error::invalid_argument)?;
        let inverse_sigma = mean.mapv(|_| 1.0 / variance.sqrt());
        gaussian_bins(&self.bins, &mean, &inverse_sigma)
    }
}

/// `N(mean, NOISE^2)` over the cells of the grid, each with a mass of at least 1.
fn on_grid(mean: f32) -> Result<Categorical> {
    let below = |x: u32| normal_cdf((value(x) - 0.5 * STEP - mean) / NOISE);
    let mass = |x: u32| match x {
        0 => below(1),
        x if x == GRID - 1 => (1 << 24) - below(x),
        x => below(x + 1) - below(x),
    };
    Categorical::from_weights(&(0..GRID).map(|x| f64::from(mass(x))).collect::<Vec<_>>())
}

fn transpose(row: [Result<Categorical>; 4]) -> Result<[Categorical; 4]> {
    let [a, b, c, d] = row;
    Ok([a?, b?, c?, d?])
}

/// A standard normal draw: the sum of twelve uniform ones is close enough for data.
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    (0..12)
        .map(|_| rng.next_u32() as f32 / u32::MAX as f32)
        .sum::<f32>()
        - 6.0
}

fn main() -> Result<()> {
    let model = LinearGaussian::new()?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let count = 5_000;
    let mut data = Array2::zeros((count, W.len()));
    for mut x in data.rows_mut() {
        let z = normal(&mut rng);
        for (x, w) in x.iter_mut().zip(W) {
            let cell = (w * z + NOISE * normal(&mut rng) + 10.0) / STEP;
            *x = (cell as u32).min(GRID - 1);
        }
    }

    let coded = block::encode(&model, data.view(), 16)?;
    let decoded = block::decode(&model, coded.plan, coded.words.clone())?;
    assert_eq!(decoded, data, "the data come back");

    let net = coded.net_bits / count as f64;
    let truth = data
        .rows()
        .into_iter()
        .map(|x| LinearGaussian::bits(&x.to_vec()))
        .sum::<f64>();
    let truth = truth / count as f64;
    println!(
        "bits a datum: truth {truth:.4}, net {net:.4}, {:+.4}",
        net - truth
    );
    assert!(
        (net - truth).abs() < 0.05,
        "net is -log2 p(x), but for rounding"
    );
    Ok(())
}

#[test]
fn net_bits_are_the_true_code_length() -> Result<()> {
    main()
}
