//! What stands in a column: its different texts, and its numbers by the way they are written.

use std::collections::HashMap;

use bbans_nn::description::{MAX_SYMBOLS, Numbers, Zeros};

use super::decimal::{Decimal, MAX_DECIMALS, MAX_UNITS, is_style};

/// The cells of a column.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) cells: u64,
    pub(super) texts: Distinct,
    pub(super) numbers: Distinct,
    /// Whether there are digits after a zero: 007.
    pub(super) codes: bool,
    /// By the decimals that are written, and whether the last is a zero.
    spans: [[Span; 2]; MAX_DECIMALS as usize + 1],
}

impl Tally {
    /// That remembers so many different texts, of so many bytes.
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            cells: 0,
            texts: Distinct::new(most, most_bytes),
            numbers: Distinct::new(most, most_bytes),
            codes: false,
            spans: Default::default(),
        }
    }

    pub(super) fn add(&mut self, content: &[u8]) {
        self.cells += 1;
        match Decimal::parse(content) {
            Some(number) => {
                self.spans[usize::from(number.decimals)][usize::from(number.ends_in_zero())]
                    .add(number.units);
                self.numbers.add(content, self.cells);
            }
            None => {
                self.codes |= content.len() > 1
                    && content.starts_with(b"0")
                    && content.iter().all(u8::is_ascii_digit);
                self.texts.add(content, self.cells);
            }
        }
    }

    /// Whether there are more different numbers than texts.
    pub(super) fn is_numeric(&self) -> bool {
        let [numbers, texts] = [&self.numbers, &self.texts].map(|d| (d.len(), d.cells));
        numbers > texts
    }

    /// Whether a cell has this content, as far as is remembered.
    pub(super) fn has(&self, content: &[u8]) -> bool {
        [&self.numbers, &self.texts]
            .iter()
            .any(|d| d.counts.contains_key(content))
    }

    /// The ways to write numbers in which some are written, those of most cells first, with the number of cells.
    pub(super) fn styles(&self) -> Vec<(u64, u8, Zeros)> {
        let all = (0..=MAX_DECIMALS).flat_map(|decimals| {
            let zeros = [Zeros::Kept, Zeros::Cut, Zeros::One];
            let len = if decimals == 0 { 1 } else { zeros.len() };
            zeros
                .into_iter()
                .take(len)
                .map(move |zeros| (decimals, zeros))
        });
        let styles = all.map(|(decimals, zeros)| {
            let spans = self.spans_of(decimals, zeros);
            (spans.map(|(_, span)| span.count).sum(), decimals, zeros)
        });
        let mut styles: Vec<_> = styles.filter(|(cells, ..)| *cells > 0).collect();
        styles.sort_by_key(|&(cells, ..)| std::cmp::Reverse(cells));
        styles
    }

    fn spans_of(&self, decimals: u8, zeros: Zeros) -> impl Iterator<Item = (u8, &Span)> {
        let all = (0..)
            .zip(&self.spans)
            .flat_map(|(written, [other, zero])| [(written, false, other), (written, true, zero)]);
        all.filter(move |&(written, ends_in_zero, span)| {
            span.count > 0 && is_style(written, ends_in_zero, decimals, zeros)
        })
        .map(|(written, _, span)| (written, span))
    }

    /// The numbers that are written in this way, in the longest steps with which none is left out; `None` if they
    /// are too many or too large.
    pub(super) fn levels(&self, decimals: u8, zeros: Zeros) -> Option<Numbers> {
        let mut spans = self.spans_of(decimals, zeros).map(|(written, span)| {
            let scale = 10i128.pow(u32::from(decimals.saturating_sub(written)));
            let of = |n: i64| i128::from(n) * scale;
            let step = i128::from(span.step) * scale;
            (of(span.least), of(span.greatest), step)
        });
        let (mut lowest, mut highest, mut step) = spans.next()?;
        for (least, greatest, other_step) in spans {
            step = gcd(gcd(step, other_step), (least - lowest).abs());
            lowest = lowest.min(least);
            highest = highest.max(greatest);
        }
        let step = step.max(1);
        let count = (highest - lowest) / step + 1;
        let bound = i128::from(MAX_UNITS);
        let within =
            count <= MAX_SYMBOLS as i128 && -bound <= lowest && lowest + step * count <= bound;
        within.then_some(Numbers {
            lowest: i64::try_from(lowest).ok()?,
            step: u32::try_from(step).ok()?,
            count: usize::try_from(count).ok()?,
            decimals,
            zeros,
        })
    }
}

/// Numbers with the same decimals.
#[derive(Debug, Clone, Default)]
struct Span {
    count: u64,
    least: i64,
    greatest: i64,
    /// The greatest that divides all differences, or 0.
    step: i64,
}

impl Span {
    fn add(&mut self, units: i64) {
        if self.count == 0 {
            (self.least, self.greatest) = (units, units);
        }
        // Both are within 2^53 of 0. Nearly always the step divides the difference.
        let difference = (units - self.least).abs();
        if self.step == 0 || difference % self.step != 0 {
            self.step = gcd(i128::from(self.step), i128::from(difference)) as i64;
        }
        self.count += 1;
        self.least = self.least.min(units);
        self.greatest = self.greatest.max(units);
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Different texts and how often each was seen, up to a number of them.
#[derive(Debug, Clone)]
pub(super) struct Distinct {
    pub(super) cells: u64,
    counts: HashMap<Vec<u8>, u64>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    /// The row in which there were too many; none is remembered from then on.
    pub(super) full_at: Option<u64>,
}

impl Distinct {
    fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            cells: 0,
            counts: HashMap::new(),
            bytes: 0,
            most,
            most_bytes,
            full_at: None,
        }
    }

    fn add(&mut self, text: &[u8], row: u64) {
        self.cells += 1;
        if self.full_at.is_some() {
            return;
        }
        if let Some(count) = self.counts.get_mut(text) {
            *count += 1;
            return;
        }
        self.bytes += text.len();
        if self.counts.len() >= self.most || self.bytes > self.most_bytes {
            self.full_at = Some(row);
            self.counts = HashMap::new();
            return;
        }
        self.counts.insert(text.to_vec(), 1);
    }

    /// Number of different texts; one more than can be remembered if there were too many.
    fn len(&self) -> usize {
        match self.full_at {
            None => self.counts.len(),
            Some(_) => self.most.saturating_add(1),
        }
    }

    /// What is remembered, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.counts.iter().map(|(text, &count)| (&text[..], count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(cells: &[&str]) -> Tally {
        let mut tally = Tally::new(3, 100);
        cells.iter().for_each(|cell| tally.add(cell.as_bytes()));
        tally
    }

    fn best(cells: &[&str]) -> (u64, Numbers) {
        let tally = tally(cells);
        let (count, decimals, zeros) = tally.styles()[0];
        (count, tally.levels(decimals, zeros).unwrap())
    }

    fn numbers(lowest: i64, step: u32, count: usize, decimals: u8, zeros: Zeros) -> Numbers {
        Numbers {
            lowest,
            step,
            count,
            decimals,
            zeros,
        }
    }

    #[test]
    fn styles_and_steps_are_found() {
        for (cells, expected) in [
            (&["3", "9", "-3"][..], numbers(-3, 6, 3, 0, Zeros::Kept)),
            (&["1.50", "2.25"], numbers(150, 75, 2, 2, Zeros::Kept)),
            (&["1.5", "2", "2.25"], numbers(150, 25, 4, 2, Zeros::Cut)),
            (
                &["1.0", "2.25", "10.0"],
                numbers(100, 25, 37, 2, Zeros::One),
            ),
            (&["7", "7"], numbers(7, 1, 1, 0, Zeros::Kept)),
            (&["5", "NA"], numbers(5, 1, 1, 0, Zeros::Kept)),
        ] {
            assert_eq!(best(cells).1, expected, "{cells:?}");
        }
        assert_eq!(best(&["1", "2", "3", "4.0"]).0, 3);
    }

    #[test]
    fn numbers_that_no_model_can_have_are_no_levels() {
        for cells in [
            &["0", "65536", "1"][..],
            &["0", "9999999999"],
            &["9007199254740992"],
            &["0.000000000000001", "1000"],
        ] {
            let tally = tally(cells);
            let (_, decimals, zeros) = tally.styles()[0];
            assert_eq!(tally.levels(decimals, zeros), None, "{cells:?}");
        }
    }

    #[test]
    fn too_many_texts_are_forgotten() {
        let tally = tally(&["a", "b", "a", "c", "d", "e", "007"]);
        assert_eq!((tally.texts.full_at, tally.texts.cells), (Some(5), 7));
        assert_eq!(tally.texts.iter().count(), 0);
        assert!(tally.codes && !tally.is_numeric());
    }
}
