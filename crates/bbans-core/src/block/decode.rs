//! From a block to data.

use ndarray::Array2;

use super::{Coder, Decoded, Plan};
use crate::bits_back::LatentModel;
use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::multiset::Ranks;
use crate::point::PointCode;

impl<M: LatentModel> Coder<'_, M> {
    /// Decodes a block.
    ///
    /// # Errors
    /// [`ErrorKind::Corruption`] if the words are not a block of this plan and model.
    pub fn decode(&self, plan: Plan, words: Vec<u32>) -> Result<Decoded<M::X>> {
        plan.validate()?;
        self.decode_steps(plan, words).map_err(|e| match e.kind() {
            ErrorKind::InsufficientData | ErrorKind::InvalidArgument => {
                Error::corruption("the block does not decode").because(e)
            }
            _ => e,
        })
    }

    fn decode_steps(&self, plan: Plan, words: Vec<u32>) -> Result<Decoded<M::X>> {
        let widths = plan.widths();
        let heads = widths.iter().copied().max().unwrap_or(1);
        let mut message = Message::from_words(words, heads)?;
        let (model, dims) = (self.model, self.model.dims());
        // No promise of a damaged file is believed: it must first decode.
        let expected = plan.count.saturating_mul(dims);
        let mut data: Vec<M::X> = Vec::with_capacity(expected.min(1 << 22));
        let mut ranks = Ranks::default();
        for (i, &lanes) in widths.iter().enumerate().rev() {
            let x = if i < plan.points {
                let (grid, effort) = (self.grid()?, 0);
                PointCode {
                    model,
                    grid,
                    effort,
                }
                .pop(&mut message)?
            } else {
                plan.way.pop(model, &mut message, lanes)?
            };
            let before = data.len() / dims.max(1);
            match x.as_slice() {
                Some(rows) => data.extend_from_slice(rows),
                None => data.extend(x.iter().cloned()),
            }
            // The first datum of a message that held nothing was not popped.
            if plan.way.unordered && (i > 0 || plan.points == 0) {
                let row = |i: u32| &data[i as usize * dims..][..dims];
                for lane in (0..lanes).rev() {
                    let new = (before + lane) as u32;
                    ranks.push(&mut message, lane, new, |a, b| row(a).cmp(row(b)))?;
                }
            }
            message.shrink(widths[..i].iter().copied().max().unwrap_or(0))?;
            plan.way.whiten(&mut message, i, lanes);
        }
        let payload = match (plan.points, message.tail()) {
            (1.., &[payload]) => Some(payload),
            _ => None,
        };
        if message.tail() != plan.first_words(payload.unwrap_or(0)) {
            return Err(Error::corruption(
                "the block does not end with its initial words",
            ));
        }
        let mut data =
            Array2::from_shape_vec((plan.count, dims), data).map_err(Error::invalid_argument)?;
        if plan.way.unordered {
            let mut order: Vec<usize> = (0..plan.count).collect();
            order.sort_by(|&a, &b| data.row(a).into_iter().cmp(data.row(b)));
            data = data.select(ndarray::Axis(0), &order);
        }
        Ok(Decoded { data, payload })
    }
}
