//! The work of `bbans binarize`.

use anyhow::Result;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Args;
use crate::support::files::{self, Output, Protected, check_free};
use crate::support::rows::DataSet;

pub(crate) fn run(args: &Args) -> Result<()> {
    let protected = Protected::inputs([&args.input]);
    check_free(&args.output, args.force, &protected)?;
    let (reader, origin) = files::open_data(&args.input, None)?;
    let mut data = DataSet::read(reader)?;
    if args.stochastic {
        let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
        // Uniform over 0..255: 1 with probability v / 255, to within 2^-32.
        let mut draw = || ((u64::from(rng.next_u32()) * 255) >> 32) as u16;
        data.symbols
            .iter_mut()
            .for_each(|v| *v = u16::from(draw() < *v));
    } else {
        data.symbols
            .iter_mut()
            .for_each(|v| *v = u16::from(*v >= u16::from(args.threshold)));
    }
    let mut out = Output::create(&args.output, args.force, &protected, origin.as_ref())?;
    data.write(&args.output, &mut out)?;
    out.commit()?;
    Ok(())
}
