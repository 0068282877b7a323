//! Ordered random coding, which is approximate.

use bbans_twopart::{OrDirect, Ordered};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "ordered random coding (approximate)",
    plotted: false,
    bound: None,
    single: None,
    model: Some(OfModel::Groups(|model, latents| {
        let code = Ordered::new(model.mean_kl(&latents), model.budget)?;
        Ok(Box::new(OrDirect::new(code, model.priors(&latents), 0.0)))
    })),
};
