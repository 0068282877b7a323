//! Multisets: symbols whose order is of no use, and is not paid for.
//!
//! The encoder takes the symbols in an order that it pops from the message, sampling without replacement:
//!
//! ```text
//! push:  until none is left:  s <- pop, uniform over what is left;   push s
//! pop:   as often:            s <- pop;   push s, uniform over all that there are by now
//! ```
//!
//! Of `n` symbols `log2 n!` bits come back, less those of the orders of equal ones. Source: Severo, Townsend, Khisti,
//! Makhzani & Ullrich 2023 (arXiv 2107.09202).

use std::cmp::Ordering;

use crate::codec::Codec;
use crate::distribution::{Distribution, Interval};
use crate::distributions::Uniform;
use crate::error::{Error, Result};
use crate::message::Message;

/// The share of `count` symbols, from number `first` on, of `total` that are equally likely.
fn share(first: usize, count: usize, total: usize) -> Option<Interval> {
    let uniform = Uniform::new(u32::try_from(total).ok()?).ok()?;
    let last = (first + count).checked_sub(1)?;
    let start = uniform.interval(&u32::try_from(first).ok()?)?.start();
    let last = uniform.interval(&u32::try_from(last).ok()?)?;
    Interval::between(start, last.start() + last.mass().get())
}

/// What is left of a multiset, by the number of each of its distinct symbols.
#[derive(Debug, Clone)]
pub(crate) struct Urn {
    /// Sums over ranges of numbers (Fenwick 1994).
    sums: Vec<u32>,
    total: usize,
}

impl Urn {
    pub(crate) fn new(counts: &[u32]) -> Self {
        let mut sums = counts.to_vec();
        for i in 0..sums.len() {
            let above = i | (i + 1);
            if above < sums.len() {
                sums[above] += sums[i];
            }
        }
        let total = counts.iter().map(|&count| count as usize).sum();
        Self { sums, total }
    }

    /// How many there are before distinct symbol `end`.
    fn before(&self, end: usize) -> usize {
        let (mut sum, mut end) = (0, end);
        while end > 0 {
            sum += self.sums[end - 1] as usize;
            end &= end - 1;
        }
        sum
    }

    /// The distinct symbol of number `at`, and how many there are before it.
    fn find(&self, at: usize) -> (usize, usize) {
        let (mut found, mut before) = (0, 0);
        let mut step = self.sums.len().checked_ilog2().map_or(0, |bits| 1 << bits);
        while step > 0 {
            if let Some(&sum) = self.sums.get(found + step - 1)
                && before + sum as usize <= at
            {
                found += step;
                before += sum as usize;
            }
            step /= 2;
        }
        (found, before)
    }

    fn interval_of(&self, symbol: usize, before: usize) -> Option<Interval> {
        share(before, self.before(symbol + 1) - before, self.total)
    }

    /// Takes one away.
    fn remove(&mut self, symbol: usize) {
        let mut i = symbol;
        while let Some(sum) = self.sums.get_mut(i) {
            *sum -= 1;
            i |= i + 1;
        }
        self.total -= 1;
    }

    /// Pops a distinct symbol from a lane and takes it away.
    pub(crate) fn pop(&mut self, message: &mut Message, lane: usize) -> Result<usize> {
        let symbol = message.pop(lane, &Left(self))?;
        self.remove(symbol);
        Ok(symbol)
    }

    /// Takes away the first that is left.
    pub(crate) fn first(&mut self) -> usize {
        let symbol = self.find(0).0;
        self.remove(symbol);
        symbol
    }
}

/// The distribution of what an urn gives.
struct Left<'a>(&'a Urn);

impl Distribution for Left<'_> {
    type Symbol = usize;

    fn interval(&self, &symbol: &usize) -> Option<Interval> {
        if symbol >= self.0.sums.len() {
            return None;
        }
        self.0.interval_of(symbol, self.0.before(symbol))
    }

    fn locate(&self, quantile: u32) -> (usize, Interval) {
        let total = u32::try_from(self.0.total).unwrap_or(u32::MAX);
        let at = Uniform::new(total).map_or(0, |uniform| uniform.locate(quantile).0);
        let (symbol, before) = self.0.find(at as usize);
        let interval = self.0.interval_of(symbol, before);
        (symbol, interval.unwrap_or(Interval::UNIT))
    }
}

/// Numbers of symbols that have been decoded, in runs that are sorted, each more than twice as long as the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ranks {
    runs: Vec<Vec<u32>>,
    total: usize,
}

impl Ranks {
    /// Adds symbol `new` and pushes its share on a lane. `compare` orders the symbols of two numbers.
    pub(crate) fn push(
        &mut self,
        message: &mut Message,
        lane: usize,
        new: u32,
        compare: impl Fn(u32, u32) -> Ordering,
    ) -> Result<()> {
        let interval = self.add(new, compare);
        let interval = interval.ok_or_else(|| Error::invalid_argument("a multiset too large"))?;
        message.push(lane, interval)
    }

    /// Adds symbol `new`; its share of all that there are by now.
    pub(crate) fn add(
        &mut self,
        new: u32,
        compare: impl Fn(u32, u32) -> Ordering,
    ) -> Option<Interval> {
        let (mut before, mut equal) = (0, 1);
        for run in &self.runs {
            let less = run.partition_point(|&old| compare(old, new).is_lt());
            let same = run[less..].partition_point(|&old| compare(old, new).is_eq());
            (before, equal) = (before + less, equal + same);
        }
        self.total += 1;
        let mut run = vec![new];
        while let Some(last) = self.runs.pop_if(|last| last.len() <= run.len()) {
            run.extend(last);
            // Two sorted runs: a merge.
            run.sort_by(|&a, &b| compare(a, b));
        }
        self.runs.push(run);
        share(before, equal, self.total)
    }
}

/// The distinct symbols of a list, each by the places that it is at, in ascending order.
pub(crate) fn distinct(
    count: usize,
    compare: impl Fn(usize, usize) -> Ordering,
) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
        .chunk_by(|&a, &b| compare(a, b).is_eq())
        .map(<[usize]>::to_vec)
        .collect()
}

/// The codec of a multiset of `count` symbols that `codec` codes one by one; it takes them in any order and gives them
/// back in ascending order. What the order is worth comes and goes by lane 0 of the message, which needs about
/// `log2(count)` bits to begin with.
#[derive(Debug, Clone)]
pub struct Multiset<C> {
    /// Of one symbol.
    pub codec: C,
    /// How many there are, up to `2^24`.
    pub count: usize,
}

impl<C: Codec<Symbol: Ord>> Codec for Multiset<C> {
    type Symbol = Vec<C::Symbol>;

    fn push(&self, message: &mut Message, symbols: &Self::Symbol) -> Result<()> {
        if symbols.len() != self.count {
            return Err(Error::invalid_argument(format!(
                "{} symbols for a multiset of {}",
                symbols.len(),
                self.count
            )));
        }
        let mut places = distinct(self.count, |a, b| symbols[a].cmp(&symbols[b]));
        let counts: Vec<u32> = places.iter().map(|of_one| of_one.len() as u32).collect();
        let mut urn = Urn::new(&counts);
        for _ in 0..self.count {
            let symbol = urn.pop(message, 0)?;
            if let Some(place) = places[symbol].pop() {
                self.codec.push(message, &symbols[place])?;
            }
        }
        Ok(())
    }

    fn pop(&self, message: &mut Message) -> Result<Self::Symbol> {
        let (mut symbols, mut ranks) = (Vec::new(), Ranks::default());
        for new in 0..self.count as u32 {
            symbols.push(self.codec.pop(message)?);
            let of = |i: u32| &symbols[i as usize];
            ranks.push(message, 0, new, |a, b| of(a).cmp(of(b)))?;
        }
        symbols.sort();
        Ok(symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Independent;
    use crate::distributions::Categorical;
    use crate::laws::{check_code_length, check_distribution};
    use ndarray::Array2;
    use proptest::prelude::*;

    /// One symbol of a lane.
    struct One(Independent<Array2<Categorical>>);

    impl Codec for One {
        type Symbol = u32;

        fn push(&self, message: &mut Message, &symbol: &u32) -> Result<()> {
            self.0.push(message, &ndarray::array![[symbol]])
        }

        fn pop(&self, message: &mut Message) -> Result<u32> {
            self.0.pop(message).map(|symbols| symbols[(0, 0)])
        }
    }

    fn log2_factorial(n: usize) -> f64 {
        (1..=n).map(|i| (i as f64).log2()).sum()
    }

    proptest! {
        /// `log2 n!` bits come back, less those of equal symbols.
        #[test]
        fn order_is_not_paid_for(mut symbols in prop::collection::vec(0u32..200, 0..300), wide in any::<bool>()) {
            // With few symbols most are equal.
            let levels = if wide { 200 } else { 3 };
            symbols.iter_mut().for_each(|s| *s %= levels);
            symbols.sort_unstable();
            let weights: Vec<f64> = (1..=levels).map(f64::from).collect();
            let each = Categorical::from_weights(&weights).unwrap();
            let mut expected = -log2_factorial(symbols.len());
            for s in 0..levels {
                let count = symbols.iter().filter(|&&other| other == s).count();
                expected += log2_factorial(count);
                expected += each.interval(&s).unwrap().bits() * count as f64;
            }
            let one = One(Independent::new(1, 1, |_, _| each.clone()));
            let codec = Multiset { codec: one, count: symbols.len() };
            // A head is rounded at every draw, up or down, as a random walk goes.
            let tolerance = 0.02 + 6e-4 * (symbols.len() as f64).sqrt();
            check_code_length(&codec, &symbols, 1, expected, tolerance).unwrap();
        }

        #[test]
        fn an_urn_is_a_distribution(counts in prop::collection::vec(0u32..5, 1..40), taken in 0usize..30) {
            prop_assume!(counts.iter().sum::<u32>() > 0);
            let mut urn = Urn::new(&counts);
            let mut left = counts.clone();
            for _ in 0..taken.min(counts.iter().sum::<u32>() as usize - 1) {
                let first = urn.first();
                prop_assert_eq!(Some(first), left.iter().position(|&c| c > 0));
                left[first] -= 1;
            }
            for (symbol, &count) in left.iter().enumerate() {
                let mass = Left(&urn).interval(&symbol).map_or(0, |i| i.mass().get());
                let share = f64::from(count) / urn.total as f64 * f64::from(crate::TOTAL_MASS);
                prop_assert!((f64::from(mass) - share).abs() <= 1.0);
            }
            check_distribution(&Cloned(urn), 0..counts.len()).unwrap();
        }
    }

    #[derive(Clone)]
    struct Cloned(Urn);

    impl Distribution for Cloned {
        type Symbol = usize;

        fn interval(&self, symbol: &usize) -> Option<Interval> {
            Left(&self.0).interval(symbol)
        }

        fn locate(&self, quantile: u32) -> (usize, Interval) {
            Left(&self.0).locate(quantile)
        }
    }
}
