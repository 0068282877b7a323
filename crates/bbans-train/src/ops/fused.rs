//! An operation that candle sees as one: the codec's kernel forward, its own derivatives backward.

use std::ops::Deref;

use bbans_nn::ops::{Op, Operation, Shape};
use bbans_nn::simd::Path;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Error, Layout, Result, Storage, Tensor, bail,
};

use super::{shape_of, trained};

/// The derivatives of an operation.
pub(super) trait Fused {
    /// By its inputs, then by its tensors, in their order.
    fn backward(&self, pass: &Pass<'_>) -> Result<Vec<Vec<f32>>>;
}

/// What derivatives depend on.
pub(super) struct Pass<'a> {
    pub op: &'a Op,
    /// Shapes of the inputs.
    pub shapes: Vec<&'a [usize]>,
    /// The inputs, `[shape.., lanes]`, then the tensors.
    pub values: Vec<&'a [f32]>,
    /// The output.
    pub output: &'a [f32],
    /// The derivatives by the output.
    pub gradient: &'a [f32],
    pub lanes: usize,
    pub path: Path,
    /// Whether those by the first input are wanted: of data they are not.
    pub of_input: bool,
}

/// The value of an operation that is fused.
pub(super) fn fuse(op: &Op, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
    let fusion = Fusion {
        op: op.clone(),
        shapes: inputs.iter().map(|x| shape_of(x).to_vec()).collect(),
        tensors: tensors.iter().map(|t| t.dims().to_vec()).collect(),
        lanes,
    };
    let all = inputs.iter().chain(tensors).map(Tensor::contiguous);
    match &all.collect::<Result<Vec<_>>>()?[..] {
        [a] => a.apply_op1(fusion),
        [a, b] => a.apply_op2(b, fusion),
        [a, b, c] => a.apply_op3(b, c, fusion),
        other => bail!("an operation on {} values", other.len()),
    }
}

struct Fusion {
    op: Op,
    shapes: Vec<Shape>,
    tensors: Vec<Shape>,
    lanes: usize,
}

impl Fusion {
    fn run(&self, all: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, candle_core::Shape)> {
        let all: Vec<&[f32]> = (all.iter())
            .map(|&(storage, layout)| slice(storage, layout))
            .collect::<Result<_>>()?;
        let (inputs, tensors) = all.split_at(self.shapes.len());
        let shapes: Vec<&[usize]> = self.shapes.iter().map(Vec::as_slice).collect();
        let tensors = tensors.iter().zip(&self.tensors);
        let tensors: Vec<bbans_nn::Tensor> = tensors
            .map(|(values, shape)| bbans_nn::Tensor::new(shape.clone(), values.to_vec()))
            .collect::<bbans_nn::Result<_>>()
            .map_err(Error::wrap)?;
        let tensors: Vec<&bbans_nn::Tensor> = tensors.iter().collect();
        let operation = self.op.operation();
        let mut shape = operation.output(&shapes).map_err(Error::wrap)?;
        let kernel = operation.kernel(&shapes, &tensors).map_err(Error::wrap)?;
        let mut out = vec![0.0; super::len(&shape) * self.lanes];
        kernel.run(Path::detect(), inputs, self.lanes, &mut out);
        shape.push(self.lanes);
        Ok((CpuStorage::F32(out), shape.into()))
    }

    fn derivatives(
        &self,
        all: &[&Tensor],
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let Some(fused) = trained(&self.op).fused() else {
            bail!("an operation without derivatives of its own");
        };
        let gradient = gradient.contiguous()?;
        let by_all = slices(&[all, &[output, &gradient]].concat(), |slices| {
            let (values, rest) = slices.split_at(all.len());
            fused.backward(&Pass {
                op: &self.op,
                shapes: self.shapes.iter().map(Vec::as_slice).collect(),
                values: values.to_vec(),
                output: rest[0],
                gradient: rest[1],
                lanes: self.lanes,
                path: Path::detect(),
                of_input: all[0].track_op(),
            })
        })?;
        let by_all = by_all.into_iter().zip(all).map(|(by, value)| {
            // None is wanted of what is no number of values.
            let wanted = by.len() == value.elem_count();
            wanted
                .then(|| Tensor::from_vec(by, value.shape(), value.device()))
                .transpose()
        });
        by_all.collect()
    }
}

/// Calls `f` with the numbers of contiguous tensors on a CPU.
pub(crate) fn slices<T>(tensors: &[&Tensor], f: impl FnOnce(&[&[f32]]) -> Result<T>) -> Result<T> {
    let guards: Vec<_> = tensors.iter().map(|t| t.storage_and_layout()).collect();
    let slices = guards
        .iter()
        .map(|(storage, layout)| match storage.deref() {
            Storage::Cpu(storage) => slice(storage, layout),
            _ => bail!("numbers that are not in the processor's memory"),
        });
    f(&slices.collect::<Result<Vec<_>>>()?)
}

pub(crate) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("an operation on numbers that do not lie together"),
    }
}

/// The three arities.
macro_rules! arity {
    ($trait:ident, $result:ty, |$by:ident| $give:expr, $($s:ident $l:ident $t:ident),*) => {
        impl $trait for Fusion {
            fn name(&self) -> &'static str {
                "fused"
            }

            fn cpu_fwd(
                &self,
                $($s: &CpuStorage, $l: &Layout),*
            ) -> Result<(CpuStorage, candle_core::Shape)> {
                self.run(&[$(($s, $l)),*])
            }

            fn bwd(
                &self,
                $($t: &Tensor,)*
                output: &Tensor,
                gradient: &Tensor,
            ) -> Result<$result> {
                let mut $by = self.derivatives(&[$($t),*], output, gradient)?.into_iter().map(Option::from);
                Ok($give)
            }
        }
    };
}

arity!(CustomOp1, Option<Tensor>, |by| by.next().flatten(), s1 l1 a);
arity!(CustomOp2, (Option<Tensor>, Option<Tensor>), |by| (
    by.next().flatten(),
    by.next().flatten()
), s1 l1 a, s2 l2 b);
arity!(CustomOp3, (Option<Tensor>, Option<Tensor>, Option<Tensor>), |by| (
    by.next().flatten(),
    by.next().flatten(),
    by.next().flatten()
), s1 l1 a, s2 l2 b, s3 l3 c);

/// Shape of the output.
pub(super) fn output(pass: &Pass<'_>) -> Result<Shape> {
    let output = pass.op.operation().output(&pass.shapes);
    output.map_err(Error::wrap)
}

/// The values, and their shape, that another operation with a weight and without a bias makes of the derivatives by the
/// output, which are of this shape.
pub(super) fn run(
    op: &impl Operation,
    shape: &[usize],
    weight: Vec<f32>,
    channels: usize,
    pass: &Pass<'_>,
) -> Result<(Vec<f32>, Shape)> {
    let run = || {
        let mut specs = op.tensors(&[shape]).into_iter().map(|(_, shape)| shape);
        let mut next = || specs.next().unwrap_or_default();
        let weight = bbans_nn::Tensor::new(next(), weight)?;
        let bias = bbans_nn::Tensor::new(next(), vec![0.0; channels])?;
        let kernel = op.kernel(&[shape], &[&weight, &bias])?;
        let output = op.output(&[shape])?;
        let mut out = vec![0.0; super::len(&output) * pass.lanes];
        kernel.run(pass.path, &[pass.gradient], pass.lanes, &mut out);
        Ok((out, output))
    };
    run().map_err(|e: bbans_nn::Error| Error::wrap(e))
}
