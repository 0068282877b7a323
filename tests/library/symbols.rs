//! A model in code whose symbols are not bytes: a loaded die and a fair one.

use bbans::distributions::Categorical;
use bbans::{Codec, FileModel, Independent, LatentModel, Result};
use ndarray::Array2;

use crate::support::{grey_data, idx};
use crate::{compress, decompress};

/// Six faces; the latent is which die is thrown, for all throws of a datum.
struct Dice;

impl Dice {
    fn die(loaded: bool) -> Categorical {
        let weights = [if loaded { 5.0 } else { 1.0 }, 1.0, 1.0, 1.0, 1.0, 1.0];
        Categorical::from_weights(&weights).unwrap()
    }
}

impl LatentModel for Dice {
    type X = u32;
    type Z = u32;

    fn dims(&self) -> usize {
        30
    }

    fn latents(&self) -> usize {
        1
    }

    fn posterior_bits(&self) -> f64 {
        1.0
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let coin = Categorical::from_weights(&[1.0, 1.0])?;
        Ok(Independent::new(lanes, 1, move |_, _| coin.clone()))
    }

    fn likelihood(&self, z: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let which = z.column(0).to_vec();
        let die = |lane: usize, _: usize| Self::die(which[lane] == 1);
        Ok(Independent::new(z.nrows(), 30, die))
    }

    fn posterior(&self, x: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let ratio = |lane: usize| {
            let ones = x.row(lane).iter().filter(|&&face| face == 0).count();
            3.0f64.powi(ones as i32) * 0.6f64.powi(30 - ones as i32)
        };
        let of_lanes: Vec<Categorical> = (0..x.nrows())
            .map(|lane| Categorical::from_weights(&[1.0, ratio(lane)]))
            .collect::<Result<_>>()?;
        Ok(Independent::new(x.nrows(), 1, |lane, _| {
            of_lanes[lane].clone()
        }))
    }
}

impl FileModel for Dice {
    fn fingerprint(&self) -> [u8; 32] {
        *b"a loaded die and a fair one     "
    }

    fn name(&self) -> &str {
        "dice"
    }

    fn shape(&self) -> &[usize] {
        &[30]
    }

    fn levels(&self) -> usize {
        6
    }
}

#[test]
fn symbols_of_any_type_are_bytes_of_files() {
    let content = idx(&grey_data(200, 6, 1), &[30], 1);
    let (file, report) = compress(&Dice, &content, 16, 1).unwrap();
    assert_eq!(decompress(&Dice, &file, 2).unwrap(), content);
    // Fair throws, nearly.
    let bits = report.net_bits_per_dim();
    assert!((bits - 6.0f64.log2()).abs() < 0.05, "{bits}");
    let error = compress(&Dice, &idx(&grey_data(9, 7, 1), &[30], 1), 4, 1).unwrap_err();
    assert!(error.to_string().contains("below 6"), "{error}");
}
