//! The bbans container, and readers and writers of the data files that go into it.
//!
//! docs/format describes the container to the last bit.

mod bytes;
pub mod container;
pub mod data;

pub use data::{DataReader, DataWriter, Rows, Source};
