//! A network: a graph of operations.
//!
//! A [`Function`] is what a model file says. [`Function::bind`] gives it the shapes of its inputs and its
//! tensors, checks that all fits together, and makes a [`Graph`], which computes it.

mod bind;
mod function;
mod run;
#[cfg(test)]
mod tests;

pub use bind::Graph;
pub(crate) use bind::{Cost, MAX_MULTIPLY_ADDS};
pub(crate) use function::check_name;
pub use function::{Function, Node};
pub(crate) use run::check_room;
pub use run::{Hidden, Inputs};
