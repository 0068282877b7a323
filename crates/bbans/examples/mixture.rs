//! A mixture of products of Bernoullis, with its exact posterior: bits-back coding then costs
//! exactly `-log2 p(x)`. The model is a page: `crates/bbans/src/synthetic/mixture.rs`.
//!
//! Run it with `cargo run --release -p bbans --example mixture`.

use bbans::synthetic::Mixture;
use bbans::{Result, block};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn main() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let ones = Array2::from_shape_fn((6, 24), |_| (rng.next_u32() >> 8).max(1));
    let model = Mixture::new(&[0.3, 0.2, 0.2, 0.1, 0.1, 0.1], ones)?;
    let data = model.draw(&mut rng, 20_000);

    let coded = block::encode(&model, data.view(), 32)?;
    let decoded = block::decode(&model, coded.plan, coded.words.clone())?;
    assert_eq!(decoded, data, "the data come back");

    let count = data.nrows() as f64;
    let net = coded.net_bits / count;
    let gross = 32.0 * coded.words.len() as f64 / count;
    let truth = data.rows().into_iter().map(|x| model.bits(x)).sum::<f64>() / count;
    println!("bits a datum: truth {truth:.4}, net {net:.4}, gross {gross:.4}");
    assert!(
        (net - truth).abs() < 0.01,
        "net is -log2 p(x) to 0.01 bit a datum"
    );
    Ok(())
}

#[test]
fn net_bits_are_the_true_code_length() -> Result<()> {
    main()
}
