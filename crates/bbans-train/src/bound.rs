//! The bound of some data from its terms, to be differentiated or as a number.

use candle_core::Tensor;

use crate::batch::Batch;
use crate::error::Result;
use crate::network::Terms;

/// The loss of one sample a datum: the KL divergence of each group of latents with its weight.
pub(crate) fn weighted(terms: &Terms, weights: &[f64]) -> Result<Tensor> {
    let mut loss = terms.nats.sum_all()?;
    for (kl, &weight) in terms.kl.iter().zip(weights) {
        loss = (loss + (kl.sum_all()? * weight)?)?;
    }
    Ok(loss)
}

/// The negative importance-weighted bound: of each datum `-log` of the mean of its samples' `p(x, z) / q(z|x)`.
pub(crate) fn importance_weighted(terms: &Terms, batch: &Batch, kl_weight: f64) -> Result<Tensor> {
    let log_weights = ((&terms.log_ratio * kl_weight)? - &terms.nats)?;
    let by_datum = log_weights.reshape((batch.count, batch.samples))?;
    let log_mean = (by_datum.log_sum_exp(1)? - (batch.samples as f64).ln())?;
    Ok(log_mean.sum_all()?.neg()?)
}

/// The negative bound, in nats.
pub(crate) fn negative_bound(terms: &Terms, batch: &Batch) -> Result<f64> {
    if batch.samples > 1 {
        let detached = Terms {
            nats: terms.nats.detach(),
            kl: Vec::new(),
            log_ratio: terms.log_ratio.detach(),
        };
        let loss = importance_weighted(&detached, batch, 1.0)?;
        return Ok(f64::from(loss.to_scalar::<f32>()?));
    }
    let kl = terms.kl.iter().map(total).sum::<Result<f64>>()?;
    Ok(total(&terms.nats)? + kl)
}

/// The sum of some nats.
pub(crate) fn total(values: &Tensor) -> Result<f64> {
    let values = values.to_vec1::<f32>()?;
    Ok(values.iter().map(|&v| f64::from(v)).sum())
}
