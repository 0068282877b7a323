//! Checks of the laws that every distribution and codec must keep, for tests of one's own.

use std::fmt::Debug;

use crate::codec::Codec;
use crate::distribution::{Distribution, Interval, TOTAL_MASS};
use crate::error::{Error, Result};
use crate::message::Message;

/// Initial words of the messages that [`check_codec`] makes.
const WORDS: usize = 4096;

/// Checks that the intervals of `symbols` partition the quantiles, that the first, a middle and the
/// last quantile of each are located in it, and that a column gives the same as its symbols.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] with the symbol and the law that it breaks.
pub fn check_distribution<D>(
    distribution: &D,
    symbols: impl IntoIterator<Item: TryInto<D::Symbol>>,
) -> Result<()>
where
    D: Distribution + Clone,
    D::Symbol: Clone + PartialEq + Debug,
{
    let broken = |what: String| Err(Error::invalid_argument(format!("broken law: {what}")));
    let mut intervals = Vec::new();
    let (mut column, mut quantiles) = (Vec::new(), Vec::new());
    for symbol in symbols {
        let Ok(symbol) = symbol.try_into() else {
            return broken("a symbol out of range".into());
        };
        let Some(interval) = distribution.interval(&symbol) else {
            continue;
        };
        let (start, mass) = (interval.start(), interval.mass().get());
        for quantile in [start, start + mass / 2, start + mass - 1] {
            let (found, its_interval) = distribution.locate(quantile);
            if found != symbol || its_interval != interval {
                return broken(format!(
                    "quantile {quantile} of {symbol:?} is located at {found:?}, {its_interval:?}"
                ));
            }
            quantiles.push(quantile);
            column.push((symbol.clone(), interval));
        }
        intervals.push((start, mass));
    }
    let (symbols, expected): (Vec<_>, Vec<_>) = column.into_iter().unzip();
    let distributions = vec![distribution.clone(); symbols.len()];
    let (mut found, mut found_intervals) = (symbols.clone(), vec![Interval::UNIT; symbols.len()]);
    D::locate_all(&distributions, &quantiles, &mut found, &mut found_intervals);
    if found != symbols || found_intervals != expected {
        return broken("a column is not located as its symbols are".into());
    }
    let valid = D::intervals(&distributions, &symbols, &mut found_intervals);
    if !valid || found_intervals != expected {
        return broken("a column has not the intervals of its symbols".into());
    }
    intervals.sort_unstable();
    let end = intervals
        .iter()
        .try_fold(0, |at, &(start, mass)| (start == at).then_some(at + mass));
    if end == Some(TOTAL_MASS) {
        return Ok(());
    }
    broken("the intervals do not partition the quantiles".into())
}

/// Checks that a codec gives `symbol` back and restores the message, on a message of `lanes`
/// heads, and that popping and pushing again restores it too. Returns the bits that the push cost.
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] with the law that is broken, or the codec's own error.
pub fn check_codec<C: Codec>(codec: &C, symbol: &C::Symbol, lanes: usize) -> Result<f64>
where
    C::Symbol: PartialEq + Debug,
{
    let broken = |what: &str| Err(Error::invalid_argument(format!("broken law: {what}")));
    let mut message = Message::with_initial_words(WORDS);
    message.grow(lanes)?;
    let before = message.clone();
    codec.push(&mut message, symbol)?;
    let bits = message.bits() - before.bits();
    let found = codec.pop(&mut message)?;
    if &found != symbol {
        return broken(&format!("pushed {symbol:?}, popped {found:?}"));
    }
    if message != before {
        return broken("pop after push does not restore the message");
    }
    let popped = codec.pop(&mut message)?;
    codec.push(&mut message, &popped)?;
    if message != before {
        return broken("push after pop does not restore the message");
    }
    Ok(bits)
}

/// Checks what [`check_codec`] checks, and that the cost is `expected_bits` to within `tolerance`.
///
/// # Errors
/// As [`check_codec`], and if the cost is another.
pub fn check_code_length<C: Codec>(
    codec: &C,
    symbol: &C::Symbol,
    lanes: usize,
    expected_bits: f64,
    tolerance: f64,
) -> Result<()>
where
    C::Symbol: PartialEq + Debug,
{
    let bits = check_codec(codec, symbol, lanes)?;
    if (bits - expected_bits).abs() <= tolerance {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "broken law: {bits} bits for information of {expected_bits} bits"
    )))
}
