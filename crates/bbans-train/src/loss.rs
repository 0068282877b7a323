//! The reconstruction term as one fused operation: candle would make eight passes over the logits.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

/// Total of `-log Bernoulli(x; sigmoid(logit))` in nats, a scalar, of `logits` and `x` of one shape.
///
/// `-log p = max(l, 0) - l x + log(1 + e^-|l|)`, and its derivative by `l` is `sigmoid(l) - x`.
/// There is none by `x`, which is data.
pub(crate) fn bernoulli_nats(logits: &Tensor, x: &Tensor) -> Result<Tensor> {
    if !logits.device().is_cpu() {
        return bernoulli_nats_of_tensors(logits, x);
    }
    logits
        .contiguous()?
        .apply_op2(&x.contiguous()?, BernoulliNats)
}

/// The same in candle's own operations, which run on every device.
pub(crate) fn bernoulli_nats_of_tensors(logits: &Tensor, x: &Tensor) -> Result<Tensor> {
    let log = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    ((logits.relu()? - (logits * x)?)? + log)?.sum_all()
}

struct BernoulliNats;

impl CustomOp2 for BernoulliNats {
    fn name(&self) -> &'static str {
        "bernoulli-nats"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = contiguous(logits, logits_layout)?;
        let x = contiguous(x, x_layout)?;
        let nats =
            |(&l, &x): (&f32, &f32)| f64::from(l.max(0.0) - l * x + (-l.abs()).exp().ln_1p());
        let total: f64 = logits.iter().zip(x).map(nats).sum();
        Ok((CpuStorage::F32(vec![total as f32]), Shape::from(())))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        x: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let scale = grad_res.to_scalar::<f32>()?;
        let grad = logits
            .contiguous()?
            .apply_op2_no_bwd(&x.contiguous()?, &BernoulliGrad(scale))?;
        Ok((Some(grad), None))
    }
}

struct BernoulliGrad(f32);

impl CustomOp2 for BernoulliGrad {
    fn name(&self) -> &'static str {
        "bernoulli-nats-grad"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        logits_layout: &Layout,
        x: &CpuStorage,
        x_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let scale = self.0;
        let grad = |(&l, &x): (&f32, &f32)| (1.0 / (1.0 + (-l).exp()) - x) * scale;
        let pairs = contiguous(logits, logits_layout)?
            .iter()
            .zip(contiguous(x, x_layout)?);
        Ok((
            CpuStorage::F32(pairs.map(grad).collect()),
            logits_layout.shape().clone(),
        ))
    }
}

pub(crate) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("the loss needs contiguous tensors"),
    }
}
