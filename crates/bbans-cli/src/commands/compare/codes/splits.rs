//! A* coding with dyadic splits.

use bbans_twopart::{DyadicSplits, OrDirect};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "A* coding, dyadic splits",
    plotted: true,
    bound: None,
    single: Some(|channel, _| {
        let symbols = channel.symbols();
        if !symbols.is_power_of_two() {
            return Ok(None);
        }
        let depth = symbols.ilog2();
        let even = vec![1.0; depth as usize + 1];
        Ok(Some(Box::new(DyadicSplits::new(depth, &even)?)))
    }),
    model: Some(OfModel::Latents(|model, latent| {
        let depth = model.bin_precision;
        // How often each depth of the tree is sent.
        let mut depths = vec![0.5; depth as usize + 1];
        for index in model.indices(&latent, &DyadicSplits::new(depth, &depths)?)? {
            depths[index.ilog2() as usize] += 1.0;
        }
        let code = DyadicSplits::new(depth, &depths)?;
        let prior = model.priors(&latent);
        Ok(Box::new(OrDirect::new(code, prior, 0.0)))
    })),
};
