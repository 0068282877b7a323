//! The Poisson functional representation with an index code that knows no distribution.

use bbans_twopart::{EliasDelta, PoissonFunctional};

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "Poisson functional, Elias delta index",
    plotted: false,
    bound: None,
    single: Some(|_, budget| {
        Ok(Some(Box::new(PoissonFunctional::with_index(
            EliasDelta, budget,
        ))))
    }),
    model: None,
};
