//! Data files: IDX, .amat, .npy, PNG; gzip around any of them is taken off. Tables are in [`csv`].
//!
//! All data of a file have one shape. A reader gives their bytes row by row and keeps, in a
//! [`Source`], what a writer needs to restore the file: for IDX, .amat and .npy to the same bytes,
//! for PNG the same names and pixels.

mod amat;
mod array;
pub mod csv;
mod element;
mod names;
mod npy;
mod numeric;
mod picture;
mod pictures;
mod prefix;
mod reader;
mod rows;
mod source;
mod stream;
mod survey;
mod writer;

pub use array::{Array, Form};
pub use element::{Element, Kind};
pub use names::Names;
pub use picture::png::{Color, Kind as PngKind};
pub use pictures::{Pictures, read_folder};
pub use reader::{DataReader, End};
pub use rows::{Exception, Rows};
pub(crate) use source::MAX_RANK;
pub use source::{Layout, Source};
pub use writer::{DataWriter, Target};
