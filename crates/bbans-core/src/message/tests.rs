//! The stack against its definition.

use super::*;
use crate::distributions::{Categorical, Uniform};
use proptest::prelude::*;

/// Any head, the edges of its range and of the quotients among them.
fn head() -> impl Strategy<Value = u64> {
    prop_oneof![
        HEAD_MIN..=u64::MAX,
        (0u32..32, 0u64..4).prop_map(|(bits, d)| (HEAD_MIN << bits) + d),
        (0u32..32, 1u64..4).prop_map(|(bits, d)| u64::MAX - (((1u64 << bits) - 1) << 32) - d),
    ]
}

fn interval() -> impl Strategy<Value = Interval> {
    let mass = prop_oneof![1..=TOTAL_MASS, 1u32..9, TOTAL_MASS - 9..=TOTAL_MASS];
    mass.prop_flat_map(|m| (0..=TOTAL_MASS - m).prop_map(move |s| Interval::new(s, m).unwrap()))
}

/// One symbol with any interval.
struct Fixed(Interval);

impl Distribution for Fixed {
    type Symbol = ();

    fn interval(&self, (): &()) -> Option<Interval> {
        Some(self.0)
    }

    fn locate(&self, _: u32) -> ((), Interval) {
        ((), self.0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// A column moves the heads and the tail as constriction does, lane by lane.
    #[test]
    fn a_column_is_pushed_as_its_lanes_are(
        lanes in prop::collection::vec((head(), interval(), 0u64..3), 1..150),
    ) {
        // Half of the heads where the remainder is about zero: multiples of the mass.
        let near = |&(head, interval, near): &(u64, Interval, u64)| {
            let mass = u64::from(interval.mass().get());
            let multiple = (head / mass * mass).saturating_add(near).saturating_sub(1);
            if head % 2 == 0 { head } else { multiple.max(HEAD_MIN) }
        };
        let heads = lanes.iter().map(near).collect();
        let mut column = Message { heads, tail: vec![1, 2], poisoned: false, tape: None };
        let mut single = column.clone();
        let intervals: Vec<Fixed> = lanes.iter().map(|l| Fixed(l.1)).collect();
        column.push_column(&intervals, &vec![(); intervals.len()]).unwrap();
        for (lane, &Fixed(interval)) in intervals.iter().enumerate().rev() {
            single.push(lane, interval).unwrap();
        }
        prop_assert_eq!(column, single);
    }

    #[test]
    fn a_column_is_popped_as_its_lanes_are(
        heads in prop::collection::vec(head(), 1..150),
        weights in prop::collection::vec(0.0f64..1.0, 1..9),
        words in 0usize..200,
    ) {
        prop_assume!(weights.iter().sum::<f64>() > 0.0);
        let die = Categorical::from_weights(&weights).unwrap();
        let distributions = vec![die.clone(); heads.len()];
        let mut symbols = vec![0; heads.len()];
        let mut column = Message { heads, tail: initial_words(words), poisoned: false, tape: None };
        let mut single = column.clone();
        let popped = column.pop_column(&distributions, &mut symbols);
        let expected: Result<Vec<u32>> =
            (0..symbols.len()).map(|lane| single.pop(lane, &die)).collect();
        prop_assert_eq!(popped.is_ok(), expected.is_ok());
        if let Ok(expected) = expected {
            prop_assert_eq!(symbols, expected);
            prop_assert_eq!(column, single);
        }
    }
}

#[test]
fn columns_of_other_lengths_are_refused() {
    let mut message = Message::with_initial_words(9);
    message.grow(2).unwrap();
    let uniform = Uniform::new(4).unwrap();
    assert!(message.push_column(&[uniform; 3], &[0; 3]).is_err());
    assert!(message.push_column(&[uniform; 1], &[0; 2]).is_err());
    assert!(message.push_column(&[uniform; 2], &[0, 4]).is_err());
    assert!(message.pop_column(&[uniform; 3], &mut [0; 3]).is_err());
    assert!(message.pop_column(&[uniform; 1], &mut [0; 2]).is_err());
    assert!(message.push_column(&[uniform; 0], &[]).is_ok());
    assert!(message.pop_column(&[uniform; 0], &mut []).is_ok());
}

#[test]
fn conversion_to_double_is_the_language_s() {
    for bits in 0..64 {
        for d in 0..2000u64 {
            for h in [
                (1u64 << bits).wrapping_add(d),
                (1u64 << bits).wrapping_sub(d),
                d << bits,
            ] {
                assert_eq!(to_f64(h).to_bits(), (h as f64).to_bits(), "{h}");
            }
        }
    }
}
