//! The ring toss code.

use bbans_twopart::{Acceptance, OrDirect, Pair, RingToss};

use super::{Entry, OfModel};

/// The share of data that are unlike a model's samples.
const UNSEEN: f64 = 0.1;

pub(super) const ENTRY: Entry = Entry {
    name: "ring toss code",
    plotted: true,
    bound: Some(|of| of.functional + std::f64::consts::LOG2_E),
    single: Some(|channel, budget| {
        let log2_m = channel.log2_max_ratio();
        // Of a channel of one datum the receiver knows all.
        if channel.rows.len() < 2 || log2_m > f64::from(budget.min(RingToss::MAX_BITS)) {
            return Ok(None);
        }
        let acceptance = Acceptance::new(channel.rows.iter().map(Pair::ratios), 0.0)?;
        let prior = channel.rows[0].prior().clone();
        Ok(Some(Box::new(RingToss::new(prior, log2_m, acceptance)?)))
    }),
    model: Some(OfModel::Latents(|model, latent| {
        let bound = model.log2_bound(&latent);
        let acceptance = Acceptance::new(&model.ratios(&latent)?, UNSEEN)?;
        let prior = model.priors(&latent);
        let code = RingToss::new(prior[0].clone(), bound, acceptance)?;
        // Others may lie beyond the samples.
        let share = model.share_beyond(&latent, model.trial_budget());
        let share = share.max(1.0 / (model.samples() as f64 + 1.0));
        Ok(Box::new(OrDirect::new(code, prior, share)))
    })),
};
