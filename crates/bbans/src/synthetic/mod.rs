//! Models whose true code length `-log2 p(x)` is known, with their exact posteriors: bits-back
//! coding must cost just that. They check the coder end to end, and show what a model of one's own
//! has to implement.

mod linear_gaussian;
mod mixture;

pub use linear_gaussian::LinearGaussian;
pub use mixture::Mixture;
