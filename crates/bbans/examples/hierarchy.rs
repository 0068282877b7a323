//! Two layers of latents, `z2 -> z1 -> x`, and one posterior of both, coded in three ways.
//!
//! - All latents are popped, and then everything is pushed: bits-back coding as it is.
//! - The prior of `z1` is itself a bits-back codec over `z2`: `x` is pushed before `z2` is popped.
//!   This is Bit-Swap (Kingma, Abbeel & Ho 2019, arXiv 1905.06845), and it is nothing but nesting.
//!
//! - Top-down, `q(z2|x) q(z1|z2,x)`, as in a ladder VAE and as HiLLoC codes it (Townsend, Bird, Kunze &
//!   Barber 2020, arXiv 1912.09953): the bins of `z1` are those of its conditional prior, so that all
//!   priors are uniform. In the first two inference is bottom-up, `q(z1|x) q(z2|z1)`; then `z2` is not
//!   known when `z1` is popped, and bins have to be fixed.
//!
//! All cost the same net bits; Bit-Swap starts from fewer initial bits.
//!
//! Run it with `cargo run --release -p bbans --example hierarchy`.

use bbans::distributions::{
    Bernoulli, Bins, GaussianBin, conditional_bins, gaussian_bins, uniform_bins,
};
use bbans::nn::bins::{CENTRES, EDGES, insert_standard_normal};
use bbans::{BitsBack, Codec, Error, ErrorKind, Independent, LatentModel, Message, Result};
use ndarray::{Array2, Axis, concatenate};

/// Latents of either layer.
const LATENTS: usize = 16;
/// Pixels that each latent of the lower layer decides.
const PIXELS: usize = 8;
const BIN_PRECISION: u32 = 10;

/// `p(z2)` standard normal, `p(z1|z2) = N(0.8 z2, 0.6^2)`; `q(z2|z1)` its exact posterior.
struct Upper {
    bins: Bins,
    centres: Vec<f32>,
}

/// `p(x|z1)`: bits whose logit is `2 z1`; `q(z1|x)` by their mean. Its prior is the upper layer.
struct Lower {
    upper: Upper,
}

/// The same model with one set of latents, `[z1, z2]`.
struct Flat {
    lower: Lower,
}

/// The same model and the same posterior, top-down: `[z2, (z1 - 0.8 z2) / 0.6]`, each in units of its
/// prior.
struct TopDown {
    lower: Lower,
}

impl Upper {
    fn new() -> Result<Self> {
        let mut tensors = std::collections::BTreeMap::new();
        insert_standard_normal(&mut tensors, BIN_PRECISION)?;
        let mut take = |name| tensors.remove(name).map(|t| t.values).unwrap_or_default();
        Ok(Self {
            bins: Bins::new(&take(EDGES))?,
            centres: take(CENTRES),
        })
    }

    /// Values of bins `[lanes, latents]`, as `[latents, lanes]`.
    fn values(&self, z: &Array2<u16>) -> Array2<f32> {
        z.t().mapv(|bin| self.centres[usize::from(bin)])
    }

    fn gaussian(
        &self,
        mean: &Array2<f32>,
        sigma: f32,
    ) -> Result<Independent<Array2<GaussianBin<'_>>>> {
        gaussian_bins(&self.bins, mean, &mean.mapv(|_| 1.0 / sigma))
    }
}

impl LatentModel for Upper {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        LATENTS
    }

    fn latents(&self) -> usize {
        LATENTS
    }

    fn posterior_bits(&self) -> f64 {
        f64::from(BIN_PRECISION) * LATENTS as f64
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        uniform_bins(lanes, LATENTS, BIN_PRECISION)
    }

    fn likelihood(&self, z2: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let mean = self.values(z2).mapv(|z| 0.8 * z);
        conditional_bins(&self.bins, &mean, &mean.mapv(|_| 1.0 / 0.6))
    }

    fn posterior(&self, z1: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        self.gaussian(&self.values(z1).mapv(|z| 0.8 * z), 0.6)
    }
}

impl Lower {
    /// Means of `q(z1|x)`, `[latents, lanes]`, by the shares of ones; its standard deviation is 0.5.
    fn means(x: &Array2<u16>) -> Array2<f32> {
        let ones = |k: usize, lane: usize| -> f32 {
            let pixels = (0..PIXELS).map(|p| f32::from(x[(lane, k * PIXELS + p)]));
            pixels.sum::<f32>() / PIXELS as f32
        };
        Array2::from_shape_fn((LATENTS, x.nrows()), |(k, lane)| {
            2.0 * (ones(k, lane) - 0.5)
        })
    }

    fn posterior_of(&self, x: &Array2<u16>) -> Result<Independent<Array2<GaussianBin<'_>>>> {
        self.upper.gaussian(&Self::means(x), 0.5)
    }

    fn likelihood_of(&self, z1: &Array2<u16>) -> impl Codec<Symbol = Array2<u16>> + use<> {
        Self::likelihood_at(self.upper.values(z1))
    }

    /// `p(x|z1)` for values `[latents, lanes]`.
    fn likelihood_at(z: Array2<f32>) -> impl Codec<Symbol = Array2<u16>> + use<> {
        Independent::new(z.ncols(), LATENTS * PIXELS, move |lane, dim| {
            let p = 1.0 / (1.0 + (-2.0 * z[(dim / PIXELS, lane)]).exp());
            Bernoulli::new((p * 16_777_216.0) as u32)
        })
    }
}

impl LatentModel for Lower {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        LATENTS * PIXELS
    }

    fn latents(&self) -> usize {
        self.upper.latents()
    }

    fn posterior_bits(&self) -> f64 {
        self.upper.posterior_bits()
    }

    /// Bit-Swap: the latents are coded as the data of the layer above.
    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(BitsBack {
            model: &self.upper,
            lanes,
        })
    }

    fn likelihood(&self, z1: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(self.likelihood_of(z1))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        self.posterior_of(x)
    }
}

/// `q(z1|x) q(z2|z1)` of data, or, without data, `p(z2) p(z1|z2)`: `[z1, z2]`, one after the other.
struct Both<'a> {
    model: &'a Flat,
    x: Option<&'a Array2<u16>>,
    lanes: usize,
}

impl Codec for Both<'_> {
    type Symbol = Array2<u16>;

    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        let (z1, z2) = z.view().split_at(Axis(1), LATENTS);
        let (z1, z2) = (z1.to_owned(), z2.to_owned());
        let Lower { upper } = &self.model.lower;
        match self.x {
            Some(x) => {
                upper.posterior(&z1)?.push(message, &z2)?;
                self.model.lower.posterior_of(x)?.push(message, &z1)
            }
            None => {
                upper.likelihood(&z2)?.push(message, &z1)?;
                upper.prior(self.lanes)?.push(message, &z2)
            }
        }
    }

    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let Lower { upper } = &self.model.lower;
        let (z1, z2) = match self.x {
            Some(x) => {
                let z1 = self.model.lower.posterior_of(x)?.pop(message)?;
                let z2 = upper.posterior(&z1)?.pop(message)?;
                (z1, z2)
            }
            None => {
                let z2 = upper.prior(self.lanes)?.pop(message)?;
                let z1 = upper.likelihood(&z2)?.pop(message)?;
                (z1, z2)
            }
        };
        concatenate(Axis(1), &[z1.view(), z2.view()]).map_err(Error::invalid_argument)
    }
}

impl LatentModel for Flat {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        self.lower.dims()
    }

    fn latents(&self) -> usize {
        2 * self.lower.latents()
    }

    fn posterior_bits(&self) -> f64 {
        2.0 * self.lower.posterior_bits()
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(Both {
            model: self,
            x: None,
            lanes,
        })
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let z1 = z.view().split_at(Axis(1), LATENTS).0.to_owned();
        Ok(self.lower.likelihood_of(&z1))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        // The codec outlives the call; the data do not.
        Ok(Owned {
            model: self,
            x: x.clone(),
        })
    }
}

/// [`Both`] with data of its own.
struct Owned<'a> {
    model: &'a Flat,
    x: Array2<u16>,
}

impl Owned<'_> {
    fn codec(&self) -> Both<'_> {
        Both {
            model: self.model,
            x: Some(&self.x),
            lanes: self.x.nrows(),
        }
    }
}

impl Codec for Owned<'_> {
    type Symbol = Array2<u16>;

    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        self.codec().push(message, z)
    }

    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        self.codec().pop(message)
    }
}

/// `q(z2|x) q(z1|z2,x)` with the means of `q(z1|x)`: both conditionals of one joint Gaussian, where `z1`
/// has variance 0.25, `z2` 0.64 * 0.25 + 0.36 = 0.52, and their covariance is 0.8 * 0.25 = 0.2.
struct FromTheTop<'a> {
    upper: &'a Upper,
    mean: Array2<f32>,
}

impl FromTheTop<'_> {
    fn top(&self) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let mean = self.mean.mapv(|m| 0.8 * m);
        self.upper.gaussian(&mean, 0.52f32.sqrt())
    }

    fn bottom(&self, z2: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let z2 = self.upper.values(z2);
        let z1 = &self.mean + (&z2 - self.mean.mapv(|m| 0.8 * m)) * (0.2 / 0.52);
        let sigma = (0.25f32 - 0.2 * 0.2 / 0.52).sqrt();
        // In units of p(z1|z2).
        let mean = (z1 - z2.mapv(|z| 0.8 * z)) / 0.6;
        self.upper.gaussian(&mean, sigma / 0.6)
    }
}

impl Codec for FromTheTop<'_> {
    type Symbol = Array2<u16>;

    fn push(&self, message: &mut Message, z: &Array2<u16>) -> Result<()> {
        let (z2, e1) = z.view().split_at(Axis(1), LATENTS);
        let z2 = z2.to_owned();
        self.bottom(&z2)?.push(message, &e1.to_owned())?;
        self.top()?.push(message, &z2)
    }

    fn pop(&self, message: &mut Message) -> Result<Array2<u16>> {
        let z2 = self.top()?.pop(message)?;
        let e1 = self.bottom(&z2)?.pop(message)?;
        concatenate(Axis(1), &[z2.view(), e1.view()]).map_err(Error::invalid_argument)
    }
}

impl LatentModel for TopDown {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        self.lower.dims()
    }

    fn latents(&self) -> usize {
        2 * self.lower.latents()
    }

    fn posterior_bits(&self) -> f64 {
        2.0 * self.lower.posterior_bits()
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        uniform_bins(lanes, 2 * LATENTS, BIN_PRECISION)
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let z = self.lower.upper.values(z);
        let (z2, e1) = z.view().split_at(Axis(0), LATENTS);
        Ok(Lower::likelihood_at(
            z2.mapv(|z| 0.8 * z) + e1.mapv(|e| 0.6 * e),
        ))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        Ok(FromTheTop {
            upper: &self.lower.upper,
            mean: Lower::means(x),
        })
    }
}

/// The least number of initial words that data can be coded with, one after another on one lane,
/// and the net bits.
fn least_words<M: LatentModel<X = u16>>(model: &M, data: &Array2<u16>) -> Result<(usize, f64)> {
    let codec = BitsBack { model, lanes: 1 };
    for words in 1.. {
        let mut message = Message::with_initial_words(words);
        message.grow(1)?;
        let before = message.clone();
        let mut rows = data.axis_chunks_iter(Axis(0), 1);
        match rows.try_for_each(|row| codec.push(&mut message, &row.to_owned())) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::InsufficientData => continue,
            Err(e) => return Err(e),
        }
        let net = message.bits() - before.bits();
        for row in data.axis_chunks_iter(Axis(0), 1).rev() {
            assert_eq!(codec.pop(&mut message)?, row, "the data come back");
        }
        assert_eq!(message, before, "and so does the message");
        return Ok((words, net));
    }
    Err(Error::invalid_argument("no number of words is enough"))
}

fn main() -> Result<()> {
    let lower = || -> Result<Lower> {
        Ok(Lower {
            upper: Upper::new()?,
        })
    };
    let [swapped, flat, top_down] = [lower()?, lower()?, lower()?];
    let data = bbans::sample(&swapped, 200, 1, 0)?;
    let results = [
        (
            "all latents first",
            least_words(&Flat { lower: flat }, &data)?,
        ),
        ("Bit-Swap", least_words(&swapped, &data)?),
        (
            "top-down",
            least_words(&TopDown { lower: top_down }, &data)?,
        ),
    ];
    let count = data.nrows() as f64;
    for (name, (words, net)) in &results {
        println!(
            "{name:<18}{words:>3} initial words, {:.2} net bits a datum",
            net / count
        );
    }
    let [(_, flat), (_, swapped), (_, top_down)] = results;
    assert!(swapped.0 < flat.0 && swapped.0 < top_down.0);
    for (_, net) in [swapped, top_down] {
        assert!((net / flat.1 - 1.0).abs() < 0.02);
    }
    Ok(())
}

#[test]
fn all_ways_cost_the_same_and_bit_swap_starts_from_fewer_bits() -> Result<()> {
    main()
}
