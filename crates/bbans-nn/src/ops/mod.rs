//! Operations: the kinds of nodes of a network's graph, one a file.
//!
//! An operation knows the shape of its output, the tensors it wants and what it costs, and makes the kernel
//! that computes it. A shape is logical, `[channels, rows, columns]` or `[features]`, and of one datum; the
//! values of a step lie as `[features, lanes]`, so that a row of a picture and its lanes are one vector.

mod add;
mod cells;
mod clamp;
mod concat;
mod constant;
mod conv2d;
mod conv_transpose2d;
mod dense;
mod elementwise;
mod elu;
mod exp;
mod gelu;
mod global_mean;
mod group_norm;
mod groups;
mod kernel;
#[cfg(test)]
mod laws;
mod layer_norm;
mod leaky_relu;
mod matmul;
mod mish;
mod moves;
mod mul;
mod norm;
mod pairwise;
mod permute;
mod pixel_shuffle;
mod pool;
mod relu;
mod reshape;
mod scale_shift;
mod shapes;
mod sigmoid;
mod silu;
mod slice;
mod softmax;
mod softplus;
mod sums;
mod tanh;
mod tiles;
mod upsample;

use serde::{Deserialize, Serialize};

pub use add::Add;
pub use cells::Cells;
pub use clamp::Clamp;
pub use concat::Concat;
pub use constant::Constant;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use elementwise::Elementwise;
pub use elu::Elu;
pub use exp::Exp;
pub use gelu::Gelu;
pub use global_mean::GlobalMean;
pub use group_norm::GroupNorm;
pub use kernel::Kernel;
pub use layer_norm::LayerNorm;
pub use leaky_relu::LeakyRelu;
pub use matmul::Matmul;
pub use mish::Mish;
pub use mul::Mul;
pub use permute::Permute;
pub use pixel_shuffle::{PixelShuffle, PixelUnshuffle};
pub use pool::{AveragePool, MaxPool};
pub use relu::Relu;
pub use reshape::Reshape;
pub use scale_shift::ScaleShift;
pub use sigmoid::Sigmoid;
pub use silu::Silu;
pub use slice::Slice;
pub use softmax::Softmax;
pub use softplus::Softplus;
pub use tanh::Tanh;
pub use tiles::Tiles;
pub use upsample::Upsample;

pub(crate) use shapes::checked;

use crate::file::Tensor;
use bbans_core::Result;

/// Sizes of a value's axes.
pub type Shape = Vec<usize>;

/// A tensor that an operation wants: what follows the node's name and a dot, and its shape.
pub type TensorSpec = (&'static str, Shape);

/// One kind of node.
pub trait Operation {
    /// Shape of the output.
    ///
    /// # Errors
    /// If the inputs' number or shapes do not fit; what was found and expected is named.
    fn output(&self, inputs: &[&[usize]]) -> Result<Shape>;

    /// The tensors that it wants, of inputs that fit.
    fn tensors(&self, inputs: &[&[usize]]) -> Vec<TensorSpec> {
        let _ = inputs;
        Vec::new()
    }

    /// Products and sums for a datum, of inputs that fit, where they are more than a few a value.
    fn multiply_adds(&self, inputs: &[&[usize]]) -> u64 {
        let _ = inputs;
        0
    }

    /// What computes it, of inputs that fit and its tensors in the order of [`Operation::tensors`].
    ///
    /// # Errors
    /// If it cannot be made.
    fn kernel(&self, inputs: &[&[usize]], tensors: &[&Tensor]) -> Result<Box<dyn Kernel>>;
}

/// The enum of all operations.
macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        /// An operation with its attributes.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "op", rename_all = "snake_case")]
        pub enum Op {
            $(
                #[doc = concat!("[`", stringify!($name), "`]")]
                $name($name),
            )*
        }

        impl Op {
            /// Names of all operations, as this crate has them.
            pub const NAMES: &[&str] = &[$(stringify!($name)),*];

            /// What it does.
            pub fn operation(&self) -> &dyn Operation {
                match self {
                    $(Self::$name(op) => op,)*
                }
            }
        }
    };
}

/// Calls a macro with the names of all operations.
#[macro_export]
macro_rules! with_operations {
    ($call:ident) => {
        $call!(
            Dense,
            Conv2d,
            ConvTranspose2d,
            Add,
            Mul,
            Concat,
            Slice,
            Reshape,
            Permute,
            Upsample,
            PixelShuffle,
            PixelUnshuffle,
            MaxPool,
            AveragePool,
            GlobalMean,
            GroupNorm,
            LayerNorm,
            ScaleShift,
            Matmul,
            Softmax,
            Constant,
            Relu,
            LeakyRelu,
            Elu,
            Silu,
            Gelu,
            Sigmoid,
            Tanh,
            Softplus,
            Mish,
            Exp,
            Clamp,
            Cells,
            Tiles,
        );
    };
}

with_operations!(operations);
