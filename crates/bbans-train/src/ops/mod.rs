//! Operations as they are trained, one a file, as `bbans-nn` has them: their values in candle, the initial values of
//! their tensors and, where candle is slow on a CPU, their derivatives.
//!
//! Values are `[shape.., lanes]`, as the codec has them: a row of a picture and its lanes are one vector.

mod add;
mod affine;
mod cells;
mod clamp;
mod concat;
mod constant;
mod conv2d;
mod conv_transpose2d;
mod dense;
mod elu;
mod exp;
mod fused;
mod gelu;
mod global_mean;
mod group_norm;
#[cfg(test)]
mod laws;
mod layer_norm;
mod leaky_relu;
mod matmul;
mod mish;
mod moves;
mod mul;
mod norm;
mod permute;
mod pixel_shuffle;
mod pointwise;
mod pool;
mod relu;
mod reshape;
mod scale_shift;
mod sigmoid;
mod silu;
mod slice;
mod softmax;
mod softplus;
mod tanh;
mod taps;
mod tiles;
mod upsample;

use bbans_nn::ops::{Op, Operation};
use candle_core::{Result, Tensor};
use candle_nn::Init;

use fused::{Fused, fuse};
pub(crate) use fused::{slice, slices};

/// What training needs of an operation.
trait Trained: Operation {
    /// Its values in candle's own operations, on any device, of inputs that fit.
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor>;

    /// The initial values of its tensors, in the order of [`Operation::tensors`].
    fn init(&self, inputs: &[&[usize]]) -> Vec<Init> {
        let _ = inputs;
        Vec::new()
    }

    /// Its derivatives, if on a CPU it is one operation: the codec's kernel, and this.
    fn fused(&self) -> Option<&dyn Fused> {
        None
    }
}

macro_rules! trained {
    ($($name:ident),* $(,)?) => {
        fn trained(op: &Op) -> &dyn Trained {
            match op {
                $(Op::$name(op) => op,)*
            }
        }
    };
}

bbans_nn::with_operations!(trained);

/// The value of an operation on inputs `[shape.., lanes]` that fit it, which can be differentiated.
///
/// # Errors
/// If candle cannot compute it.
pub fn forward(op: &Op, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
    let on_cpu = inputs.iter().chain(tensors).all(|t| t.device().is_cpu());
    match trained(op).fused() {
        Some(_) if on_cpu => fuse(op, inputs, tensors, lanes),
        _ => composed(op, inputs, tensors, lanes),
    }
}

/// The same in candle's own operations, whether there is something faster or not.
///
/// # Errors
/// If candle cannot compute it.
pub fn composed(op: &Op, inputs: &[Tensor], tensors: &[Tensor], lanes: usize) -> Result<Tensor> {
    trained(op).forward(inputs, tensors, lanes)
}

/// The initial values of an operation's tensors, in their order, for inputs of these shapes.
pub(crate) fn init(op: &Op, inputs: &[&[usize]]) -> Vec<Init> {
    trained(op).init(inputs)
}

/// Uniform, so that neither values nor derivatives grow or shrink from layer to layer (Glorot & Bengio 2010).
fn glorot(inputs: usize, outputs: usize) -> Init {
    let bound = (6.0 / (inputs + outputs) as f64).sqrt();
    Init::Uniform {
        lo: -bound,
        up: bound,
    }
}

const ZEROS: Init = Init::Const(0.0);
const ONES: Init = Init::Const(1.0);

/// The sizes of a value's shape, without the lanes.
fn shape_of(x: &Tensor) -> &[usize] {
    x.dims().split_last().map_or(&[], |(_, shape)| shape)
}

/// Number of values of a shape.
fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}
