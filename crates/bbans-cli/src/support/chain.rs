//! Data one after another on one message of one lane.

use anyhow::{Result, bail};
use bbans::{BitsBack, Codec, ErrorKind, LatentModel, Message};
use ndarray::{ArrayView2, Axis};

/// What a chain gave, in bits.
pub(crate) struct Chain {
    /// Growth of the message by each datum.
    pub(crate) net_bits: Vec<f64>,
    /// The message up to each datum, everything included.
    pub(crate) gross_bits: Vec<f64>,
    /// The message as it is stored.
    pub(crate) stored_bits: f64,
}

/// Codes symbols `[count, dims]` on one message, decodes and compares them.
///
/// # Errors
/// If the model cannot code them.
pub(crate) fn chain<M: LatentModel<X = u16>>(
    model: &M,
    data: ArrayView2<'_, u16>,
) -> Result<Chain> {
    let codec = BitsBack { model, lanes: 1 };
    let mut words = (model.posterior_bits() / 32.0) as usize + 2;
    'start: loop {
        let mut message = Message::with_initial_words(words);
        message.grow(1)?;
        let (mut net_bits, mut gross_bits) = (Vec::new(), Vec::new());
        for row in data.axis_chunks_iter(Axis(0), 1) {
            let before = message.bits();
            match codec.push(&mut message, &row.to_owned()) {
                Ok(()) => {}
                Err(e) if e.kind() == ErrorKind::InsufficientData && words < 1 << 24 => {
                    words *= 2;
                    continue 'start;
                }
                Err(e) => return Err(e.into()),
            }
            net_bits.push(message.bits() - before);
            gross_bits.push(32.0 * (message.tail().len() + 2) as f64);
        }
        let stored = message.into_words()?;
        let stored_bits = 32.0 * stored.len() as f64;
        let mut message = Message::from_words(stored, 1)?;
        for row in data.axis_chunks_iter(Axis(0), 1).rev() {
            if codec.pop(&mut message)? != row {
                bail!("the chain does not decode; this is a bug, please report it");
            }
        }
        return Ok(Chain {
            net_bits,
            gross_bits,
            stored_bits,
        });
    }
}
