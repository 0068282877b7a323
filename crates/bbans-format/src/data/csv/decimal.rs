//! Numbers as tables have them: digits, with a sign before or a point between where there is one.

use bbans_nn::description::{Numbers, Zeros};

/// Most digits after the point.
pub(super) const MAX_DECIMALS: u8 = 15;
/// Bound of the digits of a number, read without a point.
pub(super) const MAX_UNITS: i64 = 1 << 53;

/// A number in its one form: -12.50 is -1250 with two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) units: i64,
    pub(super) decimals: u8,
}

impl Decimal {
    /// `None` if the text is no number, or not the form that a number is written in: 07, .5, 5., +5, -0.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let point = digits.iter().position(|&b| b == b'.');
        let (whole, fraction) = digits.split_at(point.unwrap_or(digits.len()));
        let fraction = fraction.get(1..).unwrap_or_default();
        let superfluous = whole.len() > 1 && whole.starts_with(b"0");
        if whole.is_empty() || superfluous || (fraction.is_empty() && point.is_some()) {
            return None;
        }
        let decimals = u8::try_from(fraction.len()).ok()?;
        let units = whole.iter().chain(fraction).try_fold(0i64, |n, &b| {
            let digit = b.is_ascii_digit().then(|| i64::from(b - b'0'))?;
            n.checked_mul(10)?.checked_add(digit)
        })?;
        let negative = digits.len() < text.len();
        let within = decimals <= MAX_DECIMALS && units <= MAX_UNITS;
        (within && !(negative && units == 0)).then_some(Self {
            units: if negative { -units } else { units },
            decimals,
        })
    }

    /// Whether the last digit after the point is a zero.
    pub(super) fn ends_in_zero(self) -> bool {
        self.decimals > 0 && self.units % 10 == 0
    }

    /// The number in units of the last of `decimals` decimals, if `zeros` writes it as it is.
    fn units(self, decimals: u8, zeros: Zeros) -> Option<i64> {
        if !is_style(self.decimals, self.ends_in_zero(), decimals, zeros) {
            return None;
        }
        let more = decimals.checked_sub(self.decimals)?;
        let scale = 10i64.checked_pow(u32::from(more))?;
        self.units.checked_mul(scale)
    }
}

/// Whether numbers of `decimals` and `zeros` are written with so many decimals, of which the last is a zero or not.
pub(super) fn is_style(written: u8, ends_in_zero: bool, decimals: u8, zeros: Zeros) -> bool {
    match zeros {
        _ if decimals == 0 => written == 0,
        Zeros::Kept => written == decimals,
        Zeros::Cut => written <= decimals && !ends_in_zero,
        Zeros::One => (1..=decimals).contains(&written) && (written == 1 || !ends_in_zero),
    }
}

/// Which of the numbers the text is, counted from 0.
pub(super) fn index(numbers: &Numbers, text: &[u8]) -> Option<usize> {
    let units = Decimal::parse(text)?.units(numbers.decimals, numbers.zeros)?;
    let above = units.checked_sub(numbers.lowest)?;
    let step = i64::from(numbers.step);
    if above.checked_rem(step)? != 0 {
        return None;
    }
    let index = usize::try_from(above.checked_div(step)?).ok()?;
    (index < numbers.count).then_some(index)
}

/// Appends the text of one of them; `None` if there are not so many.
pub(super) fn write(numbers: &Numbers, index: usize, out: &mut Vec<u8>) -> Option<()> {
    let above = i64::try_from(index)
        .ok()
        .filter(|_| index < numbers.count)?;
    let above = above.checked_mul(i64::from(numbers.step))?;
    let units = numbers.lowest.checked_add(above)?;
    let decimals = usize::from(numbers.decimals);
    // At least one digit before the point.
    let digits = format!("{:0width$}", units.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len().checked_sub(decimals)?)?;
    let cut = fraction.trim_end_matches('0');
    let fraction = match numbers.zeros {
        Zeros::Kept => fraction,
        Zeros::Cut => cut,
        Zeros::One if cut.is_empty() => fraction.get(..1).unwrap_or_default(),
        Zeros::One => cut,
    };
    out.extend((units < 0).then_some(b'-'));
    out.extend(whole.bytes());
    out.extend((!fraction.is_empty()).then_some(b'.'));
    out.extend(fraction.bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbers(decimals: u8, zeros: Zeros) -> Numbers {
        Numbers {
            lowest: -200,
            step: 5,
            count: 100,
            decimals,
            zeros,
        }
    }

    #[test]
    fn each_style_has_its_own_zeros() {
        for (zeros, index, text) in [
            (Zeros::Kept, 10, "-1.50"),
            (Zeros::Kept, 39, "-0.05"),
            (Zeros::Kept, 40, "0.00"),
            (Zeros::Cut, 10, "-1.5"),
            (Zeros::Cut, 40, "0"),
            (Zeros::Cut, 61, "1.05"),
            (Zeros::One, 60, "1.0"),
            (Zeros::One, 62, "1.1"),
        ] {
            let mut out = vec![];
            write(&numbers(2, zeros), index, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        let mut out = vec![];
        write(&numbers(0, Zeros::One), 41, &mut out).unwrap();
        assert_eq!(out, b"5");
        assert_eq!(write(&numbers(0, Zeros::Kept), 100, &mut out), None);
    }

    #[test]
    fn other_forms_are_no_numbers() {
        for text in [
            "",
            "-",
            ".",
            "07",
            "-07",
            ".5",
            "5.",
            "+5",
            "-0",
            "-0.0",
            "1e5",
            " 1",
            "1,5",
            "00",
            "1.2.3",
            "9007199254740993",
            "99999999999999999999",
            "0.1234567890123456",
        ] {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
        let parsed = Decimal::parse(b"-12.50").unwrap();
        assert_eq!((parsed.units, parsed.decimals), (-1250, 2));
    }

    fn any_numbers() -> impl Strategy<Value = Numbers> {
        let zeros = prop_oneof![Just(Zeros::Kept), Just(Zeros::Cut), Just(Zeros::One)];
        let lowest = prop_oneof![-1000..1000i64, any::<i64>()];
        let step = prop_oneof![Just(1u32), Just(10), 0..30u32, any::<u32>()];
        let decimals = prop_oneof![0..4u8, any::<u8>()];
        (lowest, step, 0..300usize, decimals, zeros).prop_map(
            |(lowest, step, count, decimals, zeros)| Numbers {
                lowest,
                step,
                count,
                decimals,
                zeros,
            },
        )
    }

    proptest! {
        #[test]
        fn a_text_with_an_index_is_what_the_index_writes(
            numbers in any_numbers(),
            text in "-?[0-9]{1,3}(\\.[0-9]{0,3})?",
        ) {
            if let Some(index) = index(&numbers, text.as_bytes()) {
                let mut out = vec![];
                write(&numbers, index, &mut out).unwrap();
                prop_assert_eq!(out, text.into_bytes());
            }
        }

        #[test]
        fn a_number_that_is_written_is_found(numbers in any_numbers(), at in 0..300usize) {
            let mut out = vec![];
            let written = write(&numbers, at, &mut out);
            let within = numbers.lowest.unsigned_abs() < 1 << 50 && numbers.decimals <= MAX_DECIMALS;
            if written.is_some() && within && numbers.step > 0 {
                prop_assert_eq!(index(&numbers, &out), Some(at));
            }
        }
    }
}
