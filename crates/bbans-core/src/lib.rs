//! Bits-back coding on an ANS stack: the message, codecs, distributions, and the four lines that
//! turn a latent-variable model into a codec.
//!
//! Nothing about networks, images or files is in this crate. All arithmetic is on integers, so a
//! message decodes the same everywhere.
//!
//! # Order
//!
//! A message is a stack: what was pushed last is popped first. Everywhere in this crate data are
//! listed in *decode* order; `push` therefore runs backwards and `pop` forwards. Within a batch of
//! shape `[lanes, dims]`, `pop` takes the columns in ascending order, and within a column the lanes
//! in ascending order; `push` does the reverse.
//!
//! # Example
//!
//! ```
//! use bbans_core::{Codec, Independent, Message, distributions::Categorical};
//! use ndarray::array;
//!
//! let die = Categorical::from_weights(&[1.0, 1.0, 1.0, 1.0, 1.0, 3.0])?;
//! let codec = Independent::new(1, 3, |_, _| die.clone());
//! let mut message = Message::with_initial_words(2);
//! message.grow(1)?;
//! codec.push(&mut message, &array![[5, 0, 5]])?;
//! assert_eq!(codec.pop(&mut message)?, array![[5, 0, 5]]);
//! # Ok::<(), bbans_core::Error>(())
//! ```

mod bits_back;
pub mod block;
mod causal;
mod codec;
mod distribution;
pub mod distributions;
mod error;
pub mod laws;
mod message;
mod monte_carlo;
mod multiset;
mod point;
mod random;
mod tape;

pub use bits_back::{BitsBack, LatentModel};
pub use causal::{Causal, Conditional, InOrder, Record, Walk};
pub use codec::{Codec, Columns, Independent, Repeat};
pub use distribution::{Distribution, Interval, PRECISION, TOTAL_MASS};
pub use error::{Error, ErrorKind, Result};
pub use message::{Message, initial_words};
pub use monte_carlo::{CoupledImportanceSampling, ImportanceSampling, MAX_PARTICLES};
pub use multiset::Multiset;
pub use point::{Grid, PointCode};
pub use random::normal_pair;
pub use tape::information;
