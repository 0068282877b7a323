//! Operations: the kinds of nodes of a network's graph, one a file.
//!
//! An operation knows the shape of its output, the tensors it wants and what it costs, and makes the kernel
//! that computes it. A shape is logical, `[channels, rows, columns]` or `[features]`, and of one datum; the
//! values of a step lie as `[features, lanes]`, so that a row of a picture and its lanes are one vector.

mod conv2d;
mod conv_transpose2d;
mod dense;
mod groups;
mod kernel;
#[cfg(test)]
mod laws;
mod shapes;

use serde::{Deserialize, Serialize};

pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use kernel::Kernel;

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

    /// Multiplications with weights for a datum, of inputs that fit.
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

/// The enum of all operations: one line each.
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
            /// What it does.
            pub fn operation(&self) -> &dyn Operation {
                match self {
                    $(Self::$name(op) => op,)*
                }
            }
        }
    };
}

operations!(Dense, Conv2d, ConvTranspose2d);
