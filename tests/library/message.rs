//! Laws of the message and of codecs, on random sequences.

use bbans::distributions::{Bernoulli, Categorical, Uniform};
use bbans::laws::{check_code_length, check_codec};
use bbans::{Codec, Distribution, ErrorKind, Independent, Message, Repeat, block};
use ndarray::Array2;
use proptest::prelude::*;

use crate::support::{tiny_data, tiny_model};

proptest! {
    /// Any pushes on any lanes come back in reverse, and the message is restored.
    #[test]
    fn a_message_is_a_stack(
        steps in prop::collection::vec((0usize..5, 1u32..1 << 24, any::<u32>()), 0..400),
    ) {
        let mut message = Message::with_initial_words(5);
        message.grow(5).unwrap();
        let before = message.clone();
        let mut bits = 0.0;
        for &(lane, mass, pick) in &steps {
            let interval = Bernoulli::new(mass).interval(&(pick as u16 & 1)).unwrap();
            message.push(lane, interval).unwrap();
            bits += interval.bits();
        }
        // Rounding of the ANS states costs next to nothing.
        prop_assert!((message.bits() - before.bits() - bits).abs() < 1e-3 * (1.0 + bits));
        for &(lane, mass, pick) in steps.iter().rev() {
            prop_assert_eq!(message.pop(lane, &Bernoulli::new(mass)).unwrap(), pick as u16 & 1);
        }
        prop_assert_eq!(&message, &before);
        message.shrink(0).unwrap();
        prop_assert_eq!(message.tail(), bbans::initial_words(5));
    }

    /// What is stored is restored, for any heads, at about five bits a head.
    #[test]
    fn words_hold_the_whole_message(lanes in 1usize..40, pushes in 0usize..300, seed in any::<u32>()) {
        let mut message = Message::with_initial_words(64);
        message.grow(lanes).unwrap();
        let mut state = seed;
        for i in 0..pushes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let uniform = Uniform::new(3 + (state >> 20)).unwrap();
            message.push(i % lanes, uniform.interval(&(state % 3)).unwrap()).unwrap();
        }
        let bits = message.bits();
        let words = message.clone().into_words().unwrap();
        prop_assert!(32.0 * words.len() as f64 - bits < 64.0 + 6.0 * lanes as f64);
        prop_assert_eq!(Message::from_words(words, lanes).unwrap(), message);
    }

    #[test]
    fn widths_cover_all_data(count in 1usize..3000, lanes in 1usize..200, growth: u8) {
        let plan = block::Plan { way: block::Way::plain(lanes), count, points: 0, initial_words: 1, growth };
        let widths = plan.widths();
        prop_assert_eq!(widths.iter().sum::<usize>(), count);
        prop_assert!(widths.iter().all(|&w| (1..=lanes).contains(&w)));
    }
}

#[test]
fn an_empty_message_says_so_and_stays_poisoned() {
    let mut message = Message::with_initial_words(1);
    assert_eq!(
        message.grow(2).unwrap_err().kind(),
        ErrorKind::InsufficientData
    );
    assert_eq!(
        message.pop(0, &Bernoulli::new(1)).unwrap_err().kind(),
        ErrorKind::InsufficientData
    );
    let mut message = Message::with_initial_words(1);
    message.grow(1).unwrap();
    let interval = Bernoulli::new(1).interval(&0).unwrap();
    assert_eq!(
        message.push(1, interval).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn combinators_keep_the_laws() {
    let die = Categorical::from_weights(&[1.0, 2.0, 3.0]).unwrap();
    let dice = Independent::new(2, 3, |_, _| die.clone());
    let x = ndarray::array![[0u32, 1, 2], [2, 2, 0]];
    let bits = |n: f64| -(n / 6.0).log2();
    let expected = 2.0 * bits(1.0) + bits(2.0) + 3.0 * bits(3.0);
    check_code_length(&dice, &x, 2, expected, 1e-2).unwrap();
    let both = (
        &dice,
        Repeat {
            codec: &dice,
            times: 2,
        },
    );
    check_code_length(
        &both,
        &(x.clone(), vec![x.clone(), x.clone()]),
        2,
        3.0 * expected,
        1e-2,
    )
    .unwrap();
    assert!(
        check_codec(&dice, &x, 1).is_err(),
        "two lanes need two heads"
    );
    assert!(check_codec(&dice, &ndarray::array![[0u32, 1, 3], [0, 0, 0]], 2).is_err());
    let mut message = Message::with_initial_words(9);
    assert!(
        Repeat {
            codec: &dice,
            times: 2
        }
        .push(&mut message, &vec![x])
        .is_err()
    );
}

/// The laws catch a codec that forgets something.
#[test]
fn a_broken_codec_is_caught() {
    struct Forgetful;
    impl Codec for Forgetful {
        type Symbol = u32;
        fn push(&self, message: &mut Message, _: &u32) -> bbans::Result<()> {
            message.push(0, Uniform::new(8)?.interval(&1).unwrap())
        }
        fn pop(&self, message: &mut Message) -> bbans::Result<u32> {
            message.pop(0, &Uniform::new(8)?)
        }
    }
    assert!(check_codec(&Forgetful, &1, 1).is_err());
    assert!(check_codec(&Forgetful, &2, 1).is_err());
}

#[test]
fn bits_back_keeps_the_laws() {
    let model = tiny_model();
    let bits_back = bbans::BitsBack {
        model: &model,
        lanes: 7,
    };
    check_codec(&bits_back, &tiny_data(7, 4), 7).unwrap();
}

/// Blocks of any size and kind of data: one, blank, and more than the steps are wide.
#[test]
fn blocks_of_every_size_come_back() {
    let model = tiny_model();
    for count in [1, 2, 3, 17, 64, 65, 500] {
        for lanes in [1, 2, 16, 64, 4096] {
            for data in [
                tiny_data(count, 9),
                Array2::zeros((count, 30)),
                Array2::ones((count, 30)),
            ] {
                let coded = block::encode(&model, data.view(), lanes).unwrap();
                assert_eq!(
                    block::decode(&model, coded.plan, coded.words).unwrap(),
                    data
                );
            }
        }
    }
    assert!(block::encode(&model, Array2::zeros((0, 30)).view(), 1).is_err());
    assert!(block::encode(&model, Array2::zeros((1, 29)).view(), 1).is_err());
    assert!(block::encode(&model, Array2::zeros((1, 30)).view(), 0).is_err());
}
