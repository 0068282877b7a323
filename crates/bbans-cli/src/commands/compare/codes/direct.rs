//! A draw of q, sent at `-log2 p(z)`.

use bbans_twopart::Direct;

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "z ~ q sent directly",
    plotted: false,
    bound: None,
    single: None,
    model: Some(OfModel::Latents(|model, latent| {
        let prior = model.priors(&latent);
        Ok(Box::new(Direct { prior }))
    })),
};
