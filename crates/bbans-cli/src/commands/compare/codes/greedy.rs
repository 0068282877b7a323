//! Greedy rejection sampling.

use bbans_twopart::{Greedy, OrDirect, Zipf};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "greedy rejection sampling",
    plotted: true,
    bound: Some(|of| of.kl + (of.kl + 1.0).log2() + 4.0),
    single: Some(|channel, budget| Ok(Some(Box::new(Greedy::new(channel.kl_bits(), budget)?)))),
    model: Some(OfModel::Latents(|model, latent| {
        let indices = model.indices(&latent, &Greedy::new(1.0, model.trial_budget())?)?;
        let code = Greedy::with_index(Zipf::fit(&indices)?, model.budget);
        let share = model.share_beyond(&latent, model.budget);
        Ok(Box::new(OrDirect::new(code, model.priors(&latent), share)))
    })),
};
