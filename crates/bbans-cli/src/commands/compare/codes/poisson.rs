//! The Poisson functional representation.

use bbans_twopart::{OrDirect, PoissonFunctional};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "Poisson functional",
    plotted: true,
    bound: Some(|of| of.kl + (of.kl + 1.0).log2() + 4.0),
    single: Some(|channel, budget| {
        Ok(Some(Box::new(PoissonFunctional::new(
            channel.kl_bits(),
            budget,
        )?)))
    }),
    model: Some(OfModel::Groups(|model, latents| {
        let code = PoissonFunctional::new(model.mean_kl(&latents), model.budget)?;
        let share = model.share_beyond(&latents, model.budget);
        Ok(Box::new(OrDirect::new(code, model.priors(&latents), share)))
    })),
};
