//! What the tests share: a small model, small data, and where the real data lie.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod archives;
pub mod arrays;
pub mod graphs;
pub mod symbol_models;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use bbans::VaeModel;
use bbans::nn::description::{Chains, Latent, LatentLayer, Networks};
use bbans::nn::likelihood::EMBEDDING;
use bbans::nn::likelihood::{BetaBinomial, Categorical, CausalCategorical, DiscretizedLogistic};
use bbans::nn::{Description, Layer, Likelihood, ModelFile, Tensor, Window, bins};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Shape of the data of [`tiny_model`].
pub const TINY_SHAPE: [usize; 2] = [6, 5];

/// The golden files' folder.
pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// A file of the real data, if they are there; says so loudly where not.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared")
        .join(path);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("it needs {}", path.display()));
    None
}

/// Says that a test is skipped, past the test runner, which keeps what a passing test prints.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {why}");
}

/// A model of random weights with every kind of layer of the first version.
pub fn tiny_model_file(name: &str, seed: u64) -> ModelFile {
    model_file(name, seed, Likelihood::Bernoulli)
}

/// The networks of a model of layers.
pub fn chains(file: &mut ModelFile) -> &mut Chains {
    file.description.chains_mut().unwrap()
}

/// Models of every likelihood of more levels, with every kind of layer of the second version.
pub fn grey_model_files() -> Vec<ModelFile> {
    let levels = 256;
    [
        (
            "beta-binomial",
            Likelihood::BetaBinomial(BetaBinomial { levels }),
        ),
        (
            "categorical",
            Likelihood::Categorical(Categorical { levels: 7 }),
        ),
        (
            "logistic",
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels,
                components: 1,
            }),
        ),
        (
            "logistics",
            Likelihood::DiscretizedLogistic(DiscretizedLogistic {
                levels: 20,
                components: 3,
            }),
        ),
    ]
    .into_iter()
    .map(|(name, likelihood)| model_file(name, 11, likelihood))
    .chain([causal_model_file("causal", 11)])
    .chain(features_model_files())
    .chain([hierarchy_model_file()])
    .collect()
}

/// A model with two layers of latents, of 1 and of 2, of the fifth version.
pub fn hierarchy_model_file() -> ModelFile {
    let mut file = causal_model_file("hierarchy", 11);
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut add =
        |name, inputs, outputs| add_dense(&mut file, &mut rng, 1.0, name, inputs, outputs);
    let top = vec![add("posterior.0.0", 7, 2)];
    let bottom = vec![
        add("posterior.1.0", 7 + 1, 5),
        Layer::Tanh,
        add("posterior.1.1", 5, 4),
    ];
    let description = &mut file.description;
    description.version = 5;
    let networks = description.chains_mut().unwrap();
    // The last layer, which gave the posterior of all latents.
    networks.encoder.pop();
    networks.hierarchy = [(1, top), (2, bottom)]
        .map(|(latents, layers)| LatentLayer { latents, layers })
        .to_vec();
    file.tensors.remove("encoder.2.weight");
    file.tensors.remove("encoder.2.bias");
    file
}

/// Models of bits and of levels whose heads see features of neighbours, of the fourth version.
pub fn features_model_files() -> Vec<ModelFile> {
    let window = Window {
        channels: 2,
        above: 1,
        side: 2,
    };
    let levels = Likelihood::CausalCategorical(CausalCategorical {
        window,
        levels: 6,
        embedding: 3,
    });
    [
        ("causal-features", Likelihood::CausalBernoulli(window)),
        ("causal-levels", levels),
    ]
    .into_iter()
    .map(|(name, likelihood)| {
        let mut file = causal_model_file(name, 13);
        let mut rng = ChaCha8Rng::seed_from_u64(14);
        let mut draw = |shape: Vec<usize>| {
            let count = shape.iter().product();
            let draw = |_| 3.0 * (rng.next_u32() as f32 / u32::MAX as f32 - 0.5);
            Tensor::new(shape, (0..count).map(draw).collect()).unwrap()
        };
        file.tensors.retain(|name, _| !name.starts_with("head"));
        let [inputs, outputs] = likelihood.head().unwrap();
        // With neighbours in windows of 1 by 1, and of 2 above.
        let sizes = [[inputs, 5], [5 * 5, 4], [3 * 4, 3], [3, outputs]];
        let mut head = Vec::new();
        for (i, [inputs, outputs]) in sizes.into_iter().enumerate() {
            let name = format!("head.{i}");
            file.tensors
                .insert(format!("{name}.weight"), draw(vec![inputs, outputs]));
            file.tensors
                .insert(format!("{name}.bias"), draw(vec![outputs]));
            match i {
                0 => {}
                1 => head.extend([Layer::Silu, Layer::Neighbours { above: 1, side: 1 }]),
                2 => head.extend([Layer::Silu, Layer::Neighbours { above: 2, side: 0 }]),
                _ => head.push(Layer::Silu),
            }
            head.push(Layer::Dense { name });
        }
        if let Likelihood::CausalCategorical(CausalCategorical {
            levels, embedding, ..
        }) = likelihood
        {
            file.tensors
                .insert(EMBEDDING.to_owned(), draw(vec![levels, embedding]));
        }
        file.description.version = 4;
        file.description.likelihood = likelihood;
        chains(&mut file).head = head;
        file
    })
    .collect()
}

/// Adds a dense layer whose weights and biases are uniform over a range of `width` around 0.
fn add_dense(
    file: &mut ModelFile,
    rng: &mut ChaCha8Rng,
    width: f32,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Layer {
    for (part, shape) in [("weight", vec![inputs, outputs]), ("bias", vec![outputs])] {
        let count = shape.iter().product();
        let draw = |_| width * (rng.next_u32() as f32 / u32::MAX as f32 - 0.5);
        let tensor = Tensor::new(shape, (0..count).map(draw).collect()).unwrap();
        file.tensors.insert(format!("{name}.{part}"), tensor);
    }
    let name = name.to_owned();
    Layer::Dense { name }
}

/// A model whose decoder is autoregressive in a small window: images of 6 rows and 5 columns, in
/// cells of 2 by 5 pixels.
pub fn causal_model_file(name: &str, seed: u64) -> ModelFile {
    let window = Window {
        channels: 2,
        above: 2,
        side: 1,
    };
    let mut file = model_file(name, seed, Likelihood::CausalBernoulli(window));
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1);
    let mut add = |name: &str, inputs, outputs| {
        add_dense(&mut file, &mut rng, 4.0, name, inputs, outputs);
        name.to_owned()
    };
    let cells = add("decoder.3", 4, 20);
    let head = [
        add("head.0", window.channels + window.count(), 6),
        add("head.1", 6, 1),
    ];
    let features = add("decoder.2", 5, 12);
    let description = &mut file.description;
    description.version = 3;
    let networks = description.chains_mut().unwrap();
    networks.decoder.truncate(networks.decoder.len() - 3);
    networks.decoder.extend([
        Layer::Dense { name: features },
        Layer::Relu,
        Layer::Cells {
            name: cells,
            count: 3,
        },
        Layer::Tiles {
            rows: 3,
            columns: 1,
            height: 2,
            width: 5,
        },
    ]);
    let [first, second] = head.map(|name| Layer::Dense { name });
    networks.head = vec![first, Layer::Silu, second];
    file
}

/// `count` data with values below `levels`.
pub fn grey_data(count: usize, levels: usize, seed: u64) -> Array2<u16> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((count, 30), |_| (rng.next_u32() as usize % levels) as u16)
}

fn model_file(name: &str, seed: u64, likelihood: Likelihood) -> ModelFile {
    let binary = likelihood == Likelihood::Bernoulli;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tensors = BTreeMap::new();
    let mut dense = |name: &str, inputs: usize, outputs: usize| {
        let mut draw = |n: usize| -> Vec<f32> {
            (0..n)
                .map(|_| rng.next_u32() as f32 / u32::MAX as f32 - 0.5)
                .collect()
        };
        let weight = Tensor::new(vec![inputs, outputs], draw(inputs * outputs)).unwrap();
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(
            format!("{name}.bias"),
            Tensor::new(vec![outputs], draw(outputs)).unwrap(),
        );
        Layer::Dense {
            name: name.to_owned(),
        }
    };
    let encoder = vec![
        dense("encoder.0", 30, 9),
        Layer::Relu,
        dense("encoder.1", 9, 7),
        Layer::Tanh,
        dense("encoder.2", 7, 6),
    ];
    let decoder = vec![
        dense("decoder.0", 3, 8),
        if binary { Layer::Silu } else { Layer::Elu },
        dense("decoder.1", 8, 5),
        if binary {
            Layer::Sigmoid
        } else {
            Layer::Softplus
        },
        dense("decoder.2", 5, 4),
        Layer::Exp,
        dense("decoder.3", 4, 30 * likelihood.parameters()),
    ];
    bins::insert_standard_normal(&mut tensors, 6).unwrap();
    let description = Description {
        version: if binary { 1 } else { 2 },
        name: name.to_owned(),
        data_shape: TINY_SHAPE.to_vec(),
        values: Default::default(),
        likelihood,
        latent: Latent {
            dim: 3,
            bin_precision: 6,
            bins: Default::default(),
            log_sigma: [-3.0, 1.0],
        },
        networks: Networks::Chains(Chains {
            encoder,
            decoder,
            hierarchy: Vec::new(),
            head: Vec::new(),
        }),
        training: None,
    };
    ModelFile {
        description,
        tensors,
    }
}

/// The model that the golden files were written with, from its committed file.
pub fn tiny_model() -> VaeModel {
    VaeModel::from_bytes(&std::fs::read(golden().join("tiny.safetensors")).unwrap()).unwrap()
}

/// `count` data for [`tiny_model`], about a third of them ones.
pub fn tiny_data(count: usize, seed: u64) -> Array2<u16> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((count, 30), |_| u16::from(rng.next_u32() % 3 == 0))
}

/// Data as bytes, row by row.
pub fn bytes(data: &Array2<u16>) -> Vec<u8> {
    let byte = |&s| u8::try_from(s).expect("a symbol above 255");
    data.iter().map(byte).collect()
}

/// Data as an IDX file, `1` written as `one`.
pub fn idx(data: &Array2<u16>, shape: &[usize], one: u8) -> Vec<u8> {
    let mut file = vec![0, 0, 8, 1 + shape.len() as u8];
    for size in std::iter::once(data.nrows()).chain(shape.iter().copied()) {
        file.extend((size as u32).to_be_bytes());
    }
    file.extend(bytes(data).into_iter().map(|b| b * one));
    file
}

/// Data as .amat text.
pub fn amat(data: &Array2<u16>, separator: &str, end: &str) -> Vec<u8> {
    let line = |row: ndarray::ArrayView1<'_, u16>| {
        row.iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(separator)
            + end
    };
    data.rows()
        .into_iter()
        .map(line)
        .collect::<String>()
        .into_bytes()
}

/// Data as an .npy file with this dictionary.
pub fn npy_with(dictionary: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = dictionary.to_owned();
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.bytes());
    file.extend(bytes);
    file
}

/// Data as an .npy file of bytes.
pub fn npy(data: &Array2<u16>, shape: &[usize]) -> Vec<u8> {
    let shape: Vec<String> = std::iter::once(data.nrows())
        .chain(shape.iter().copied())
        .map(|n| n.to_string())
        .collect();
    let dictionary = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': ({},), }}",
        shape.join(", ")
    );
    npy_with(&dictionary, &bytes(data))
}
