//! Codes with the type of their index erased, so that different ones fit in one list.

use bbans_core::distributions::Categorical;
use bbans_core::{Message, Result};

use crate::{Code, Pair, Shared};

type Push<'a> = Box<dyn Fn(&mut Message) -> Result<()> + 'a>;

/// What a sender chose, and how it is said.
pub struct Part1<'a> {
    /// The latents.
    pub z: Vec<u32>,
    /// Candidates that were drawn.
    pub candidates: u64,
    push: Push<'a>,
}

impl Part1<'_> {
    /// Pushes part 1.
    ///
    /// # Errors
    /// As the code's [`Code::push`].
    pub fn push(&self, message: &mut Message) -> Result<()> {
        (self.push)(message)
    }
}

/// A [`Code`] of any index.
pub trait AnyCode {
    /// The sender: [`Code::choose`].
    ///
    /// # Errors
    /// As there.
    fn choose_any(&self, latents: &[Pair], shared: Shared) -> Result<Option<Part1<'_>>>;

    /// The receiver: [`Code::pop`] and [`Code::receive`].
    ///
    /// # Errors
    /// As there.
    fn receive_any(
        &self,
        message: &mut Message,
        prior: &[Categorical],
        shared: Shared,
    ) -> Result<Vec<u32>>;
}

impl<C: Code> AnyCode for C
where
    C::Index: 'static,
{
    fn choose_any(&self, latents: &[Pair], mut shared: Shared) -> Result<Option<Part1<'_>>> {
        let chosen = self.choose(latents, &mut shared)?;
        Ok(chosen.map(|chosen| Part1 {
            z: chosen.z,
            candidates: chosen.candidates,
            push: Box::new(move |message| self.push(message, &chosen.index)),
        }))
    }

    fn receive_any(
        &self,
        message: &mut Message,
        prior: &[Categorical],
        mut shared: Shared,
    ) -> Result<Vec<u32>> {
        let index = self.pop(message, &mut shared)?;
        self.receive(prior, &index, &mut shared)
    }
}
