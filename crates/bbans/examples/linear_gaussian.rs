//! A linear-Gaussian model, with its exact posterior: the code length is known in closed form. The
//! model is a page: `crates/bbans/src/synthetic/linear_gaussian.rs`.
//!
//! Run it with `cargo run --release -p bbans --example linear_gaussian`.

use bbans::synthetic::LinearGaussian;
use bbans::{Result, block};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

fn main() -> Result<()> {
    let model = LinearGaussian::new(&[1.0, -0.5, 2.0, 0.25])?;
    let data = model.draw(&mut ChaCha8Rng::seed_from_u64(1), 5_000);

    let coded = block::encode(&model, data.view(), 16)?;
    let decoded = block::decode(&model, coded.plan, coded.words.clone())?;
    assert_eq!(decoded, data, "the data come back");

    let count = data.nrows() as f64;
    let net = coded.net_bits / count;
    let truth = data.rows().into_iter().map(|x| model.bits(x)).sum::<f64>() / count;
    println!(
        "bits a datum: truth {truth:.4}, net {net:.4}, {:+.4}",
        net - truth
    );
    assert!(
        (net - truth).abs() < 0.02,
        "net is -log2 p(x), but for rounding"
    );
    Ok(())
}

#[test]
fn net_bits_are_the_true_code_length() -> Result<()> {
    main()
}
