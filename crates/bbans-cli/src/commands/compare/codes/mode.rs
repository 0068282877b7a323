//! The likeliest latents, sent at `-log2 p(z)`.

use bbans::Message;
use bbans::distributions::Categorical;
use bbans_twopart::{Choice, Code, Direct, Pair, Shared};

use super::{Entry, OfModel};

pub(super) const ENTRY: Entry = Entry {
    name: "mode of q sent directly",
    plotted: false,
    bound: None,
    single: None,
    model: Some(OfModel::Latents(|model, latent| {
        let prior = model.priors(&latent);
        Ok(Box::new(Mode(Direct { prior })))
    })),
};

/// The likeliest symbol of `q`, sent at `-log2 p(z)`. No draw of `q`: the bound does not hold for it.
struct Mode(Direct);

impl Code for Mode {
    type Index = Vec<u32>;

    fn choose(&self, latents: &[Pair], _: &mut Shared) -> bbans::Result<Option<Choice<Vec<u32>>>> {
        let mode = |pair: &Pair| {
            let q = pair.probabilities();
            (0..q.len()).fold(0, |a, b| if q[b] > q[a] { b } else { a }) as u32
        };
        let z: Vec<u32> = latents.iter().map(mode).collect();
        Ok(Some(Choice {
            index: z.clone(),
            z,
            candidates: 0,
        }))
    }

    fn push(&self, message: &mut Message, z: &Vec<u32>) -> bbans::Result<()> {
        self.0.push(message, z)
    }

    fn pop(&self, message: &mut Message, shared: &mut Shared) -> bbans::Result<Vec<u32>> {
        self.0.pop(message, shared)
    }

    fn receive(
        &self,
        prior: &[Categorical],
        z: &Vec<u32>,
        shared: &mut Shared,
    ) -> bbans::Result<Vec<u32>> {
        self.0.receive(prior, z, shared)
    }
}
