//! A mixture of products of Bernoullis, with its exact posterior: bits-back coding then costs
//! exactly `-log2 p(x)`, whatever component was drawn.
//!
//! `(z) -> (x_1 .. x_D)`: `p(z)` categorical, `p(x_d|z)` Bernoulli, `p(z|x)` by Bayes' rule.
//!
//! Run it with `cargo run --release -p bbans --example mixture`.

use bbans::distributions::{Bernoulli, Categorical};
use bbans::{Codec, Independent, LatentModel, Result, block};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const TOTAL: f64 = (1 << 24) as f64;

/// Probabilities as multiples of 2^-24, so that the codecs hold exactly these.
struct Mixture {
    weights: Categorical,
    /// Mass of a 1, `[components, dims]`.
    ones: Array2<u32>,
    probabilities: Vec<f64>,
}

impl Mixture {
    fn new(weights: &[f64], ones: Array2<u32>) -> Result<Self> {
        let weights = Categorical::from_weights(weights)?;
        let mass = |k: usize| bbans::Distribution::interval(&weights, &(k as u32));
        let probability = |k| mass(k).map_or(0.0, |i| f64::from(i.mass().get()) / TOTAL);
        let probabilities = (0..weights.count()).map(probability).collect();
        Ok(Self {
            weights,
            ones,
            probabilities,
        })
    }

    /// `p(z, x)` for every `z`.
    fn joint(&self, x: &[u8]) -> Vec<f64> {
        let of = |k: usize| {
            let factor = |(&mass, &bit): (&u32, &u8)| {
                let p = f64::from(mass) / TOTAL;
                if bit == 1 { p } else { 1.0 - p }
            };
            self.probabilities[k] * self.ones.row(k).iter().zip(x).map(factor).product::<f64>()
        };
        (0..self.probabilities.len()).map(of).collect()
    }

    /// `-log2 p(x)`.
    fn bits(&self, x: &[u8]) -> f64 {
        -self.joint(x).iter().sum::<f64>().log2()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut quantile = || rng.next_u32() >> 8;
        let (z, _) = bbans::Distribution::locate(&self.weights, quantile());
        self.ones
            .row(z as usize)
            .iter()
            .map(|&mass| u8::from(quantile() < mass))
            .collect()
    }
}

impl LatentModel for Mixture {
    type X = u8;
    type Z = u32;

    fn dims(&self) -> usize {
        self.ones.ncols()
    }

    fn posterior_bits(&self) -> f64 {
        (self.probabilities.len() as f64).log2()
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u32>>> {
        Ok(Independent::new(lanes, 1, |_, _| self.weights.clone()))
    }

    fn likelihood(&self, z: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u8>>> {
        let ones = |lane, dim| Bernoulli::new(self.ones[(z[(lane, 0)] as usize, dim)]);
        Ok(Independent::new(z.nrows(), self.dims(), ones))
    }

    fn posterior(&self, x: &Array2<u8>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let rows = x
            .rows()
            .into_iter()
            .map(|x| Categorical::from_weights(&self.joint(&x.to_vec())));
        let posteriors = rows.collect::<Result<Vec<_>>>()?;
        Ok(Independent::new(x.nrows(), 1, |lane, _| {
            posteriors[lane].clone()
        }))
    }
}

fn main() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ones = Array2::from_shape_fn((6, 24), |_| (rng.next_u32() >> 8).max(1));
    let model = Mixture::new(&[0.3, 0.2, 0.2, 0.1, 0.1, 0.1], ones)?;
    let count = 20_000;
    let rows: Vec<Vec<u8>> = (0..count).map(|_| model.draw(&mut rng)).collect();
    let data = Array2::from_shape_fn((count, model.dims()), |(i, d)| rows[i][d]);

    let coded = block::encode(&model, data.view(), 32)?;
    let decoded = block::decode(&model, coded.plan, coded.words.clone())?;
    assert_eq!(decoded, data, "the data come back");

    let net = coded.net_bits / count as f64;
    let gross = 32.0 * coded.words.len() as f64 / count as f64;
    let truth = rows.iter().map(|x| model.bits(x)).sum::<f64>() / count as f64;
    println!("bits a datum: truth {truth:.4}, net {net:.4}, gross {gross:.4}");
    assert!(
        (net - truth).abs() < 0.01,
        "net is -log2 p(x) to 0.01 bit a datum"
    );
    Ok(())
}

#[test]
fn net_bits_are_the_true_code_length() -> Result<()> {
    main()
}
