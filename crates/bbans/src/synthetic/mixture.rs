//! A mixture of products of Bernoullis.

use bbans_core::distributions::{Bernoulli, Categorical};
use bbans_core::{Codec, Distribution, Error, Independent, LatentModel, Result, TOTAL_MASS};
use ndarray::{Array2, ArrayView1};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// `p(z)` categorical, `p(x_d|z)` Bernoulli, `p(z|x)` by Bayes' rule: bits-back coding then costs
/// exactly `-log2 p(x)`, whatever component was drawn.
#[derive(Debug, Clone)]
pub struct Mixture {
    weights: Categorical,
    /// Mass of a 1, `[components, dims]`.
    ones: Array2<u32>,
    probabilities: Vec<f64>,
}

impl Mixture {
    /// Components of these weights; `ones`, `[components, dims]`, are the masses of a 1, of `2^24`:
    /// the codecs hold exactly these probabilities.
    ///
    /// # Errors
    /// If the weights are none, their number is another, or a mass is not from 1 to `2^24 - 1`.
    pub fn new(weights: &[f64], ones: Array2<u32>) -> Result<Self> {
        let weights = Categorical::from_weights(weights)?;
        let valid = ones.iter().all(|m| (1..TOTAL_MASS).contains(m));
        if weights.count() != ones.nrows() || !valid {
            return Err(Error::invalid_argument(format!(
                "{} weights for masses of shape {:?}; expected as many rows, and masses from 1 to \
                 2^24 - 1",
                weights.count(),
                ones.dim()
            )));
        }
        let mass = |k: usize| weights.interval(&(k as u32));
        let probability = |k| mass(k).map_or(0.0, |i| probability(i.mass().get()));
        let probabilities = (0..weights.count()).map(probability).collect();
        Ok(Self {
            weights,
            ones,
            probabilities,
        })
    }

    /// `p(z, x)` for every `z`.
    fn joint(&self, x: ArrayView1<'_, u16>) -> Vec<f64> {
        let of = |k: usize| {
            let factor = |(&mass, &bit): (&u32, &u16)| {
                let p = probability(mass);
                if bit == 1 { p } else { 1.0 - p }
            };
            let factors = self.ones.row(k).into_iter().zip(x).map(factor);
            self.probabilities[k] * factors.product::<f64>()
        };
        (0..self.probabilities.len()).map(of).collect()
    }

    /// `-log2 p(x)` of one datum.
    pub fn bits(&self, x: ArrayView1<'_, u16>) -> f64 {
        -self.joint(x).iter().sum::<f64>().log2()
    }

    /// Data drawn from the model, `[count, dims]`.
    pub fn draw(&self, rng: &mut ChaCha8Rng, count: usize) -> Array2<u16> {
        let mut data = Array2::zeros((count, self.dims()));
        let mut quantile = || rng.next_u32() >> 8;
        for mut row in data.rows_mut() {
            let (z, _) = self.weights.locate(quantile());
            for (x, &mass) in row.iter_mut().zip(self.ones.row(z as usize)) {
                *x = u16::from(quantile() < mass);
            }
        }
        data
    }
}

fn probability(mass: u32) -> f64 {
    f64::from(mass) / f64::from(TOTAL_MASS)
}

impl LatentModel for Mixture {
    type X = u16;
    type Z = u32;

    fn dims(&self) -> usize {
        self.ones.ncols()
    }

    fn latents(&self) -> usize {
        1
    }

    fn posterior_bits(&self) -> f64 {
        (self.probabilities.len() as f64).log2()
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u32>>> {
        Ok(Independent::new(lanes, 1, |_, _| self.weights.clone()))
    }

    fn likelihood(&self, z: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let ones = |lane, dim| Bernoulli::new(self.ones[(z[(lane, 0)] as usize, dim)]);
        Ok(Independent::new(z.nrows(), self.dims(), ones))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let rows = x.rows().into_iter();
        let posteriors: Vec<_> = rows
            .map(|x| Categorical::from_weights(&self.joint(x)))
            .collect::<Result<_>>()?;
        Ok(Independent::new(x.nrows(), 1, |lane, _| {
            posteriors[lane].clone()
        }))
    }
}
