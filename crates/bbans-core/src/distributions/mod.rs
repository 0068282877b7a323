//! Distributions and the codecs made of them.

mod bernoulli;
mod categorical;
mod conditional;
mod gaussian;
mod normal_cdf;
mod normal_table;
mod tables;
mod uniform;

pub use bernoulli::Bernoulli;
pub use categorical::Categorical;
pub use conditional::{ConditionalBin, conditional_bins};
pub use gaussian::{Bins, GaussianBin, gaussian_bins};
pub use normal_cdf::normal_cdf;
pub use tables::{Table, Tables, Tabulated};
pub use uniform::{Uniform, UniformBin, uniform_bins};
