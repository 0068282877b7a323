//! Rejection sampling.

use bbans_twopart::{OrDirect, Rejection};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "rejection sampling",
    plotted: true,
    // Where the exponent of M is sent, it is rounded up.
    bound: Some(|of| {
        let sent = of.exponents.map_or(0.0, |n| f64::from(n).log2() + 1.0);
        of.log2_max_ratio + std::f64::consts::LOG2_E + sent
    }),
    single: Some(|channel, budget| {
        let log2_m = channel.log2_max_ratio();
        if log2_m > f64::from(budget) {
            return Ok(None);
        }
        Ok(Some(Box::new(Rejection::of_known_ratio(log2_m)?)))
    }),
    model: Some(OfModel::Groups(|model, latents| {
        let code = Rejection::new(model.budget)?;
        let share = model.share_beyond(&latents, model.budget);
        Ok(Box::new(OrDirect::new(code, model.priors(&latents), share)))
    })),
};
