//! A linear-Gaussian model on a fine grid.

use bbans_core::distributions::{Bins, Categorical, gaussian_bins, normal_cdf, uniform_bins};
use bbans_core::normal_pair;
use bbans_core::{Codec, Error, Independent, LatentModel, Result};
use bbans_nn::bins::{CENTRES, EDGES, insert_standard_normal};
use ndarray::{Array2, ArrayView1};
use rand_chacha::ChaCha8Rng;

/// Standard deviation of `x_d` given `z`.
const NOISE: f32 = 0.5;
/// Points of the grid, from -10 to 10: their distance is `NOISE / 32`.
const GRID: u32 = 1280;
const STEP: f32 = 20.0 / GRID as f32;
const BIN_PRECISION: u32 = 12;

/// `z ~ N(0, 1)`, `x_d | z ~ N(w_d z, s^2)`, rounded to a grid of step `s / 32`. Then
/// `z | x ~ N(v w'x / s^2, v)` with `v = 1 / (1 + w'w / s^2)`, but for the rounding.
#[derive(Debug, Clone)]
pub struct LinearGaussian {
    w: Vec<f32>,
    bins: Bins,
    centres: Vec<f32>,
}

/// The value of grid point `x`.
fn value(x: u32) -> f32 {
    (x as f32 + 0.5) * STEP - 10.0
}

/// The standard normal mass from `low` to `high`; in the tails nothing cancels.
fn normal_mass(low: f64, high: f64) -> f64 {
    let above = |t: f64| 0.5 * libm::erfc(t * std::f64::consts::FRAC_1_SQRT_2);
    if low > 0.0 {
        above(low) - above(high)
    } else {
        above(-high) - above(-low)
    }
}

impl LinearGaussian {
    /// A model with one latent and the coefficients `w`.
    ///
    /// # Errors
    /// If there are no coefficients, or one is beyond 2 in magnitude: data would leave the grid.
    pub fn new(w: &[f32]) -> Result<Self> {
        if w.is_empty() || w.iter().any(|w| w.abs() > 2.0 || w.is_nan()) {
            return Err(Error::invalid_argument(format!(
                "coefficients {w:?}; expected some, from -2 to 2"
            )));
        }
        let mut tensors = std::collections::BTreeMap::new();
        insert_standard_normal(&mut tensors, BIN_PRECISION)?;
        let mut take = |name| tensors.remove(name).map(|t| t.values).unwrap_or_default();
        Ok(Self {
            w: w.to_vec(),
            bins: Bins::new(&take(EDGES))?,
            centres: take(CENTRES),
        })
    }

    /// Mean and variance of `z` given `x`.
    fn posterior_of(&self, x: ArrayView1<'_, u32>) -> (f64, f64) {
        let noise = f64::from(NOISE * NOISE);
        let pairs = self.w.iter().zip(x);
        let (ww, wx) = pairs.fold((0.0, 0.0), |(ww, wx), (&w, &x)| {
            let (w, x) = (f64::from(w), f64::from(value(x)));
            (ww + w * w, wx + w * x)
        });
        let variance = 1.0 / (1.0 + ww / noise);
        (variance * wx / noise, variance)
    }

    /// `-log2` of the probability of the cell of `x`: the integral over the box, as one over `z` of
    /// the product of normal masses. The trapezoidal rule is exact to 1e-12 here, where the
    /// integrand is smooth and vanishes at the ends.
    pub fn bits(&self, x: ArrayView1<'_, u32>) -> f64 {
        const POINTS: i32 = 80;
        let (mean, variance) = self.posterior_of(x);
        let step = 9.0 * variance.sqrt() / f64::from(POINTS);
        let half = f64::from(STEP) / 2.0;
        let at = |i: i32| {
            let z = mean + step * f64::from(i);
            let cells = self.w.iter().zip(x).map(|(&w, &x)| {
                let centre = f64::from(value(x)) - f64::from(w) * z;
                let noise = f64::from(NOISE);
                normal_mass((centre - half) / noise, (centre + half) / noise)
            });
            (-0.5 * z * z).exp() * cells.product::<f64>()
        };
        let total: f64 = (-POINTS..=POINTS).map(at).sum();
        -(total * step / std::f64::consts::TAU.sqrt()).log2()
    }

    /// Data drawn from the model, `[count, dims]`, as numbers of grid points.
    pub fn draw(&self, rng: &mut ChaCha8Rng, count: usize) -> Array2<u32> {
        let mut data = Array2::zeros((count, self.w.len()));
        for mut row in data.rows_mut() {
            let z = normal_pair(rng)[0];
            for (x, &w) in row.iter_mut().zip(&self.w) {
                let value = f64::from(w) * z + f64::from(NOISE) * normal_pair(rng)[0];
                *x = (((value + 10.0) / f64::from(STEP)) as u32).min(GRID - 1);
            }
        }
        data
    }
}

impl LatentModel for LinearGaussian {
    type X = u32;
    type Z = u16;

    fn dims(&self) -> usize {
        self.w.len()
    }

    fn latents(&self) -> usize {
        1
    }

    fn posterior_bits(&self) -> f64 {
        f64::from(BIN_PRECISION)
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        uniform_bins(lanes, 1, BIN_PRECISION)
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let means = z.iter().flat_map(|&bin| {
            self.w
                .iter()
                .map(move |w| w * self.centres[usize::from(bin)])
        });
        let cells: Vec<_> = means.map(on_grid).collect::<Result<_>>()?;
        Ok(Independent::new(z.nrows(), self.w.len(), |lane, dim| {
            cells[lane * self.w.len() + dim].clone()
        }))
    }

    fn posterior(&self, x: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let posteriors: Vec<_> = x.rows().into_iter().map(|x| self.posterior_of(x)).collect();
        let row = |of: fn(&(f64, f64)) -> f64| {
            Array2::from_shape_fn((1, x.nrows()), |(_, lane)| of(&posteriors[lane]) as f32)
        };
        gaussian_bins(&self.bins, &row(|p| p.0), &row(|p| 1.0 / p.1.sqrt()))
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
