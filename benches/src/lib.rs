//! What the benchmarks share: a model of the shape 784-100-40 and binary images.

use std::collections::BTreeMap;

use bbans::VaeModel;
use bbans::nn::description::{Chains, Latent, Networks};
use bbans::nn::{Description, Layer, Likelihood, ModelFile, Tensor, bins};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A VAE of random weights: `dims - hidden.. - latents - hidden.. - dims`, relu between the layers.
///
/// The weights are small, so that a datum costs about as many bits as with a trained model.
///
/// # Panics
/// If a size is zero.
pub fn random_model(hidden: &[usize], latents: usize) -> VaeModel {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut tensors = BTreeMap::new();
    let encoder = [&[784], hidden, &[2 * latents]].concat();
    let decoder: Vec<usize> = [
        &[latents],
        hidden.iter().rev().copied().collect::<Vec<_>>().as_slice(),
        &[784],
    ]
    .concat();
    let mut layers = |part: &str, sizes: &[usize], last_bias: f32| {
        let mut layers = Vec::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            if i > 0 {
                layers.push(Layer::Relu);
            }
            let scale = (2.0 / pair[0] as f32).sqrt();
            let draw = |_| (rng.next_u32() as f32 / u32::MAX as f32 - 0.5) * scale;
            let weights: Vec<f32> = (0..pair[0] * pair[1]).map(draw).collect();
            let bias = if i + 2 == sizes.len() {
                last_bias
            } else {
                0.01
            };
            let name = format!("{part}.{i}");
            let tensor =
                |shape: Vec<usize>, values| Tensor::new(shape, values).expect("a valid tensor");
            tensors.insert(
                format!("{name}.weight"),
                tensor(vec![pair[0], pair[1]], weights),
            );
            tensors.insert(
                format!("{name}.bias"),
                tensor(vec![pair[1]], vec![bias; pair[1]]),
            );
            layers.push(Layer::Dense { name });
        }
        layers
    };
    let (encoder, decoder) = (
        layers("encoder", &encoder, -0.5),
        layers("decoder", &decoder, -3.0),
    );
    bins::insert_standard_normal(&mut tensors, 10).expect("valid bins");
    let description = Description {
        version: 1,
        name: "random".to_owned(),
        data_shape: vec![28, 28],
        values: Default::default(),
        likelihood: Likelihood::Bernoulli,
        latent: Latent {
            dim: latents,
            bin_precision: 10,
            bins: Default::default(),
            log_sigma: [-8.0, 4.0],
        },
        networks: Networks::Chains(Chains {
            encoder,
            decoder,
            hierarchy: Vec::new(),
            head: Vec::new(),
        }),
        training: None,
    };
    let bytes = ModelFile {
        description,
        tensors,
    }
    .to_bytes()
    .expect("a valid model");
    VaeModel::from_bytes(&bytes).expect("a valid model")
}

/// `count` images of 784 pixels, 13% of them on in two runs, as in MNIST.
pub fn images(count: usize) -> Array2<u16> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let starts: Vec<(usize, usize)> = (0..count)
        .map(|_| {
            (
                100 + rng.next_u32() as usize % 200,
                400 + rng.next_u32() as usize % 200,
            )
        })
        .collect();
    Array2::from_shape_fn((count, 784), |(i, d)| {
        let (a, b) = starts[i];
        u16::from((a..a + 51).contains(&d) || (b..b + 51).contains(&d))
    })
}

/// The header of an IDX file of `count` images.
pub fn idx_header(count: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, 3];
    [count, 28, 28]
        .iter()
        .for_each(|&n| bytes.extend((n as u32).to_be_bytes()));
    bytes
}
