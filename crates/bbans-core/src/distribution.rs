//! Probabilities as the coder sees them: integer masses that sum to [`TOTAL_MASS`].

use std::num::NonZeroU32;

/// Bits of the coder's masses. Every distribution has this one; a coarser one scales up.
pub const PRECISION: u32 = 24;

/// The masses of a distribution sum to this.
pub const TOTAL_MASS: u32 = 1 << PRECISION;

/// The quantiles `start .. start + mass` that belong to a symbol.
///
/// Invariant: `start + mass <= TOTAL_MASS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    start: u32,
    mass: NonZeroU32,
}

impl Interval {
    /// The first quantile alone.
    pub const UNIT: Self = Self {
        start: 0,
        mass: NonZeroU32::MIN,
    };

    /// The interval, or `None` if it is empty or reaches beyond [`TOTAL_MASS`].
    #[inline]
    pub fn new(start: u32, mass: u32) -> Option<Self> {
        let end = start.checked_add(mass)?;
        Some(Self {
            start,
            mass: NonZeroU32::new(mass)?,
        })
        .filter(|_| end <= TOTAL_MASS)
    }

    /// The interval from `start` to `end`, the latter excluded; `None` if it is empty.
    #[inline]
    pub fn between(start: u32, end: u32) -> Option<Self> {
        Self::new(start, end.checked_sub(start)?)
    }

    /// An interval that its caller knows to be valid, without a branch: an empty one, which would be
    /// a bug, has the mass 1.
    #[inline(always)]
    pub(crate) fn of_mass_or_unit(start: u32, mass: u32) -> Self {
        debug_assert!(mass > 0 && start + mass <= TOTAL_MASS);
        Self {
            start,
            mass: NonZeroU32::new(mass).unwrap_or(NonZeroU32::MIN),
        }
    }

    /// The first quantile: the mass of all symbols before this one.
    #[inline]
    pub fn start(self) -> u32 {
        self.start
    }

    /// The number of quantiles: the symbol's probability times [`TOTAL_MASS`].
    #[inline]
    pub fn mass(self) -> NonZeroU32 {
        self.mass
    }

    /// Information content of the symbol: `-log2(mass / TOTAL_MASS)`.
    pub fn bits(self) -> f64 {
        f64::from(PRECISION) - f64::from(self.mass.get()).log2()
    }
}

/// A distribution over symbols with integer masses.
///
/// # Laws
///
/// - The intervals of all symbols partition `0..TOTAL_MASS`.
/// - For every quantile `q < TOTAL_MASS`, `locate(q)` is the symbol `s` whose interval holds `q`,
///   and `interval(&s)` is that interval.
///
/// [`crate::laws::check_distribution`] checks them.
pub trait Distribution {
    /// What is distributed.
    type Symbol;

    /// The symbol's interval; `None` if it has no mass.
    fn interval(&self, symbol: &Self::Symbol) -> Option<Interval>;

    /// The symbol that a quantile below [`TOTAL_MASS`] belongs to, and its interval.
    fn locate(&self, quantile: u32) -> (Self::Symbol, Interval);

    /// The intervals of a column of symbols, each of its own distribution; whether all have mass.
    ///
    /// The same as one by one: here a distribution may be faster.
    #[inline(always)]
    fn intervals(column: &[Self], symbols: &[Self::Symbol], intervals: &mut [Interval]) -> bool
    where
        Self: Sized,
    {
        let mut valid = true;
        for ((interval, distribution), symbol) in intervals.iter_mut().zip(column).zip(symbols) {
            let found = distribution.interval(symbol);
            valid &= found.is_some();
            *interval = found.unwrap_or(Interval::UNIT);
        }
        valid
    }

    /// The symbols of a column of quantiles, and their intervals.
    ///
    /// The same as one by one: here a distribution may be faster.
    #[inline(always)]
    fn locate_all(
        column: &[Self],
        quantiles: &[u32],
        symbols: &mut [Self::Symbol],
        intervals: &mut [Interval],
    ) where
        Self: Sized,
    {
        let found = symbols.iter_mut().zip(intervals);
        for ((distribution, &quantile), (symbol, interval)) in
            column.iter().zip(quantiles).zip(found)
        {
            (*symbol, *interval) = distribution.locate(quantile);
        }
    }
}

/// A distribution behind a reference.
impl<D: Distribution> Distribution for &D {
    type Symbol = D::Symbol;

    #[inline(always)]
    fn interval(&self, symbol: &Self::Symbol) -> Option<Interval> {
        (**self).interval(symbol)
    }

    #[inline(always)]
    fn locate(&self, quantile: u32) -> (Self::Symbol, Interval) {
        (**self).locate(quantile)
    }
}
