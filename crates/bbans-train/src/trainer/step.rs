//! A step: the derivatives of a batch, by all processors.

use std::f64::consts::LN_2;

use candle_core::backprop::GradStore;
use rand_chacha::ChaCha8Rng;

use super::Trainer;
use crate::batch::Batch;
use crate::bound::{importance_weighted, negative_bound, total, weighted};
use crate::error::{Error, Result};
use crate::head::Derivatives;
use crate::noise::fill_normal;

/// Least number of lanes that a processor gets, unless they have many numbers.
const MIN_LANES: usize = 16;
/// Numbers that are worth a processor of their own.
const MANY_NUMBERS: usize = 1 << 20;

impl Trainer {
    /// Noise of so many data's latents.
    pub(super) fn noise(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let samples = self.schedule.samples;
        let mut noise = vec![0.0; count * samples * self.network.latents()];
        fill_normal(rng, &mut noise);
        noise
    }

    /// The negative bound of a batch in nats, and the derivatives of the mean loss.
    ///
    /// Every processor takes an equal part of the data through the whole network and back; what a group of latents costs
    /// is known in between.
    pub(super) fn gradients(
        &self,
        x: &[u16],
        noise: &[f32],
        kl_weight: f64,
    ) -> Result<(f64, GradStore)> {
        let count = x.len() / self.training.dims();
        let derivatives = match self.schedule.samples {
            1 => Derivatives::Forward,
            _ => Derivatives::Backward,
        };
        let parts = self.parallel(self.parts(x, noise), |(x, noise)| {
            let batch = Batch::new(&self.network, x, noise, self.schedule.samples)?;
            let terms = self.network.terms(&batch, derivatives)?;
            Ok((batch, terms))
        })?;
        let mut kl = vec![0.0; parts.first().map_or(0, |(_, terms)| terms.kl.len())];
        for (_, terms) in &parts {
            for (sum, of_part) in kl.iter_mut().zip(&terms.kl) {
                *sum += total(of_part)?;
            }
        }
        // Below the free bits a group costs the same whatever it is.
        let free_nats = self.schedule.free_bits * LN_2 * count as f64;
        let weights: Vec<f64> = (kl.iter())
            .map(|&kl| if kl < free_nats { 0.0 } else { kl_weight })
            .collect();
        let mut parts = self
            .parallel(parts, |(batch, terms)| {
                let nats = negative_bound(&terms, &batch)?;
                let loss = match batch.samples {
                    1 => weighted(&terms, &weights)?,
                    _ => importance_weighted(&terms, &batch, kl_weight)?,
                };
                Ok((nats, (loss * (1.0 / count as f64))?.backward()?))
            })?
            .into_iter();
        let Some((mut nats, mut grads)) = parts.next() else {
            return Err(Error::new("a step without data"));
        };
        for (of_part, by_part) in parts {
            nats += of_part;
            for var in self.adam.vars() {
                let sum = match (grads.get(var), by_part.get(var)) {
                    (Some(a), Some(b)) => (a + b)?,
                    (None, Some(b)) => b.clone(),
                    _ => continue,
                };
                grads.insert(var, sum);
            }
        }
        Ok((nats, grads))
    }

    /// Data and their noise in equal parts, one for each processor.
    pub(super) fn parts<'a>(&self, x: &'a [u16], noise: &'a [f32]) -> Vec<(&'a [u16], &'a [f32])> {
        let (dims, samples) = (self.training.dims(), self.schedule.samples);
        let (count, latents) = (x.len() / dims, samples * self.network.latents());
        let least = (MANY_NUMBERS / self.network.numbers().max(1)).clamp(1, MIN_LANES);
        let most = (count * samples / least).clamp(1, count.max(1));
        let each = count
            .div_ceil(self.pool.current_num_threads().min(most))
            .max(1);
        // Without latents there is no noise.
        let mut noise = noise;
        let mut of_part = |x: &[u16]| {
            let part;
            (part, noise) = noise.split_at((x.len() / dims * latents).min(noise.len()));
            part
        };
        x.chunks(each * dims).map(|x| (x, of_part(x))).collect()
    }

    /// Calls `f` with each of the items, side by side; the results are in their order.
    pub(super) fn parallel<I: Send, T: Send>(
        &self,
        items: Vec<I>,
        f: impl Fn(I) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let mut results: Vec<Option<Result<T>>> = items.iter().map(|_| None).collect();
        let f = &f;
        self.pool.scope(|scope| {
            for (item, result) in items.into_iter().zip(&mut results) {
                scope.spawn(move |_| *result = Some(f(item)));
            }
        });
        results.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;
    use rayon::ThreadPoolBuilder;

    use crate::arch::Preset;
    use crate::dataset::{Dataset, Values};
    use crate::facts::Facts;
    use crate::noise::{Purpose, generator};

    const COUNT: usize = 50;

    fn trainer(preset: &str, free_bits: f64, threads: usize) -> Trainer {
        let facts = Facts::new(&[4, 4], 2);
        let mut arch = Preset::named(preset).unwrap().arch(&facts).unwrap();
        arch.schedule.free_bits = free_bits;
        let bytes = (0..COUNT * 16).map(|i| u16::from(i * i % 7 < 3)).collect();
        let data = Dataset::new(bytes, vec![4, 4], Values::Binary).unwrap();
        let mut trainer = Trainer::new(&arch, "test", data, None, None).unwrap();
        trainer.pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        trainer
    }

    /// Nats and derivatives of a step.
    fn step(trainer: &Trainer, kl_weight: f64) -> (f64, Vec<f32>) {
        let rows: Vec<usize> = (0..trainer.training.count()).collect();
        let mut rng = generator(1, Purpose::Latents, 0);
        let x = trainer.training.batch(&rows, &mut rng);
        let noise = trainer.noise(rows.len(), &mut rng);
        let (nats, grads) = trainer.gradients(&x, &noise, kl_weight).unwrap();
        let numbers = |var: &Var| match grads.get(var) {
            Some(grad) => grad.flatten_all().unwrap().to_vec1::<f32>().unwrap(),
            None => vec![0.0; var.elem_count()],
        };
        (nats, trainer.adam.vars().iter().flat_map(numbers).collect())
    }

    fn assert_close(a: &(f64, Vec<f32>), b: &(f64, Vec<f32>)) {
        assert!((a.0 - b.0).abs() <= 1e-5 * a.0.abs(), "{} {}", a.0, b.0);
        for (a, b) in a.1.iter().zip(&b.1) {
            assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "{a} {b}");
        }
    }

    #[test]
    fn the_number_of_processors_changes_nothing_but_rounding() {
        for preset in ["small", "ladder"] {
            let [one, three] = [1, 3].map(|threads| step(&trainer(preset, 0.2, threads), 1.0));
            assert_close(&one, &three);
        }
    }

    #[test]
    fn groups_within_their_free_bits_cost_nothing() {
        let without = trainer("ladder", 0.0, 2);
        let [unweighted, weighted] = [0.0, 1.0].map(|weight| step(&without, weight));
        assert_close(&step(&trainer("ladder", 1e6, 2), 1.0), &unweighted);
        assert_close(&step(&trainer("ladder", 1e-9, 2), 1.0), &weighted);
        let differ = |(a, b): (&f32, &f32)| (a - b).abs() > 1e-3;
        assert!(unweighted.1.iter().zip(&weighted.1).any(differ));
    }
}
