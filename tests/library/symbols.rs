//! Models in code whose symbols are not bytes: a loaded die and a fair one, and any numbers of 16 bits.

use bbans::data::Element;
use bbans::distributions::{Categorical, Uniform};
use bbans::{Codec, FileModel, Independent, LatentModel, Result};
use ndarray::{Array2, ArrayD};

use crate::support::arrays::{npy_of, value};
use crate::support::{grey_data, idx};
use crate::{compress, decompress, ways};

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

/// A model in code of as many symbols as there may be, each as likely as another.
struct Wide(u32);

impl LatentModel for Wide {
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
        let bit = Uniform::new(2)?;
        Ok(Independent::new(lanes, 1, move |_, _| bit))
    }

    fn likelihood(&self, z: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        let any = Uniform::new(self.0)?;
        Ok(Independent::new(z.nrows(), 30, move |_, _| any))
    }

    fn posterior(&self, x: &Array2<u32>) -> Result<impl Codec<Symbol = Array2<u32>>> {
        self.prior(x.nrows())
    }
}

impl FileModel for Wide {
    fn fingerprint(&self) -> [u8; 32] {
        *b"any number is as likely as any o"
    }

    fn name(&self) -> &str {
        "wide"
    }

    fn shape(&self) -> &[usize] {
        &[30]
    }

    fn levels(&self) -> usize {
        self.0 as usize
    }
}

#[test]
fn symbols_of_16_bits_come_back() {
    for levels in [257, 1000, 1 << 16] {
        let model = Wide(levels);
        let data = grey_data(50, levels as usize, 2);
        for name in ["u16", "u16be", "i32", "f32"] {
            let element = Element::of_name(name).unwrap();
            let values = data.iter().map(|&v| value(element, f64::from(v)));
            let values = ArrayD::from_shape_vec(vec![50, 30], values.collect()).unwrap();
            let content = npy_of(&values, element, true);
            for options in [ways()[0], ways()[3], ways()[6]] {
                let file = bbans::compress_bytes(&model, &content, options).unwrap();
                let restored = bbans::decompress_bytes(&model, &file, options).unwrap();
                assert!(options.unordered || restored == content);
                let bits = 8.0 * file.len() as f64 / 1500.0;
                // Where every datum is decodable alone, with a header of NumPy and 50 ends of messages.
                let over = if options.independent { 3.0 } else { 1.0 };
                assert!(bits < f64::from(levels).log2() + over, "{bits}");
            }
        }
    }
}
