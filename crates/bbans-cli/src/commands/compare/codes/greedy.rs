//! Greedy rejection sampling.

use bbans_twopart::{Greedy, Zipf};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "greedy rejection sampling",
    plotted: true,
    bound: Some(|of| of.kl + (of.kl + 1.0).log2() + 4.0),
    single: Some(|channel, _| Ok(Some(Box::new(Greedy::new(channel.kl_bits())?)))),
    model: Some(OfModel::Latents(|model, latent| {
        let indices = model.indices(latent, &Greedy::new(1.0)?)?;
        Ok(Box::new(Greedy::with_index(Zipf::fit(&indices)?)))
    })),
};
