//! How to compress.

use std::num::NonZeroUsize;

use bbans_core::block::Way;
use bbans_core::{Error, MAX_PARTICLES, Result};

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Lanes of a block: data that a step codes side by side, 1 to [`bbans_core::block::MAX_LANES`].
    pub lanes: usize,
    /// Threads. They change the time, never a byte of the file.
    pub threads: NonZeroUsize,
    /// Version of the container, 1 or 2. From 2 on the message is whitened between steps, and a block that the model
    /// would make larger is kept as it is. What version 2 has no room for is written as version 3, with its model as version 4.
    pub format: u8,
    /// Particles of a datum, 1 to [`MAX_PARTICLES`]; with more than one, from version 2 on, a file approaches the
    /// importance-weighted bound, at a speed of one over so many.
    pub particles: usize,
    /// Whether several particles share the bits of one. If not, which is for comparison, a step takes the bits of every
    /// particle, and has at most [`bbans_core::block::MAX_LANES`] particles over all lanes.
    pub coupled: bool,
    /// The order of the data is of no use, from version 2 on: they are restored in ascending order, and the bits of the
    /// order are saved.
    pub unordered: bool,
    /// Every datum can be decoded alone, from version 2 on, in longer files.
    pub independent: bool,
    /// Data in a block, at most, where there is room for more: a smaller block is decoded sooner for one datum in it, and
    /// the file is longer.
    pub block: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lanes: 64,
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            format: 2,
            particles: 1,
            coupled: true,
            unordered: false,
            independent: false,
            block: None,
        }
    }
}

impl Options {
    /// How the blocks are coded, but for whitening.
    pub(super) fn way(&self) -> Way {
        Way {
            particles: self.particles,
            coupled: self.coupled,
            unordered: self.unordered,
            ..Way::plain(self.lanes)
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        self.way().check()?;
        let most = match self.format {
            1 => 1,
            2 => MAX_PARTICLES,
            version => {
                return Err(Error::invalid_argument(format!(
                    "version {version} of the container; expected 1, or 2, which becomes 3 where the data need it and 4 \
                     where the model is in the file"
                )));
            }
        };
        if !(1..=most).contains(&self.particles) {
            return Err(Error::invalid_argument(format!(
                "{} particles in a file of version {}; expected 1 to {most}, or version 2, which takes {MAX_PARTICLES}",
                self.particles, self.format
            )));
        }
        if self.format == 1 && (self.unordered || self.independent) {
            return Err(Error::invalid_argument(
                "unordered or independent data in a file of version 1; expected version 2",
            ));
        }
        if self.independent && (self.unordered || self.particles > 1) {
            return Err(Error::invalid_argument(
                "independent data that are unordered, or have particles; expected one of them alone",
            ));
        }
        Ok(())
    }
}
