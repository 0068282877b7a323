//! Sending latents themselves, and codes that fall back to it.

use bbans_core::distributions::{Bernoulli, Categorical};
use bbans_core::{Distribution, Error, Message, Result, TOTAL_MASS};

use crate::pair::Pair;
use crate::shared::Shared;
use crate::{Choice, Code};

/// Latents drawn from `q` and sent at `-log2 p(z)`: what two-part codes are to beat.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The priors, which both sides know.
    pub prior: Vec<Categorical>,
}

impl Code for Direct {
    type Index = Vec<u32>;

    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Vec<u32>>>> {
        let mut private = shared.private();
        let z: Vec<u32> = latents
            .iter()
            .map(|pair| pair.symbol_of(private.uniform()))
            .collect();
        Ok(Some(Choice {
            index: z.clone(),
            z,
            candidates: 0,
        }))
    }

    fn push(&self, message: &mut Message, z: &Vec<u32>) -> Result<()> {
        for (p, z) in self.prior.iter().zip(z).rev() {
            let interval = p.interval(z);
            message.push(
                0,
                interval.ok_or_else(|| Error::invalid_argument("a latent without prior mass"))?,
            )?;
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message, _: &mut Shared) -> Result<Vec<u32>> {
        self.prior.iter().map(|p| message.pop(0, p)).collect()
    }

    fn receive(&self, _: &[Categorical], z: &Vec<u32>, _: &mut Shared) -> Result<Vec<u32>> {
        Ok(z.clone())
    }
}

/// A code, and [`Direct`] for what is beyond it; a flag, charged, says which.
#[derive(Debug, Clone)]
pub struct OrDirect<C> {
    pub(crate) code: C,
    pub(crate) direct: Direct,
    flag: Bernoulli,
}

impl<C> OrDirect<C> {
    /// `share` is about how often the code is not applicable, which is fixed per model.
    pub fn new(code: C, prior: Vec<Categorical>, share: f64) -> Self {
        let share = share.clamp(1e-4, 1.0 - 1e-4);
        Self {
            code,
            direct: Direct { prior },
            flag: Bernoulli::new((share * f64::from(TOTAL_MASS)) as u32),
        }
    }
}

/// What part 1 of [`OrDirect`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeOrDirect<I> {
    /// The code's index.
    Code(I),
    /// The latents.
    Direct(Vec<u32>),
}

impl<C: Code> Code for OrDirect<C> {
    type Index = CodeOrDirect<C::Index>;

    fn choose(&self, latents: &[Pair], shared: &mut Shared) -> Result<Option<Choice<Self::Index>>> {
        if let Some(chosen) = self.code.choose(latents, shared)? {
            return Ok(Some(chosen.map(CodeOrDirect::Code)));
        }
        let chosen = self.direct.choose(latents, shared)?;
        Ok(chosen.map(|chosen| chosen.map(CodeOrDirect::Direct)))
    }

    fn push(&self, message: &mut Message, index: &Self::Index) -> Result<()> {
        let bit = match index {
            CodeOrDirect::Code(index) => {
                self.code.push(message, index)?;
                0
            }
            CodeOrDirect::Direct(z) => {
                self.direct.push(message, z)?;
                1
            }
        };
        let interval = self.flag.interval(&bit);
        message.push(
            0,
            interval.ok_or_else(|| Error::invalid_argument("a flag of a bit"))?,
        )
    }

    fn pop(&self, message: &mut Message, shared: &mut Shared) -> Result<Self::Index> {
        Ok(match message.pop(0, &self.flag)? {
            0 => CodeOrDirect::Code(self.code.pop(message, shared)?),
            _ => CodeOrDirect::Direct(self.direct.pop(message, shared)?),
        })
    }

    fn receive(
        &self,
        prior: &[Categorical],
        index: &Self::Index,
        shared: &mut Shared,
    ) -> Result<Vec<u32>> {
        match index {
            CodeOrDirect::Code(index) => self.code.receive(prior, index, shared),
            CodeOrDirect::Direct(z) => self.direct.receive(prior, z, shared),
        }
    }
}
