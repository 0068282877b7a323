//! Exactness: the same bytes on every SIMD path, thread count and batch; agreement with candle.

use bbans::nn::graph::{Graph, Inputs};
use bbans::nn::simd::Path;
use bbans::nn::{Layer, ModelFile};
use bbans::{FileModel, LatentModel, VaeModel};
use bbans_train::Network;
use candle_core::{Device, Tensor};
use ndarray::{Array2, ArrayView2, Axis};

use crate::support::{
    TINY_SHAPE, causal_model_file, features_model_files, grey_model_files, hierarchy_model_file,
    idx, tiny_data, tiny_model, tiny_model_file,
};
use crate::{compress, decompress};

fn small() -> VaeModel {
    VaeModel::from_bytes(bbans_models::MODELS[0].bytes).unwrap()
}

#[test]
fn every_path_and_thread_count_writes_the_same_bytes() {
    let images = bbans::sample(&small(), 100, 5, 0).unwrap();
    // More than one block, so that threads have something to divide.
    let many = Array2::from_shape_fn((5_300, 784), |(i, d)| images[(i * 7 % 100, d)]);
    let content = idx(&many, &[28, 28], 1);
    let (expected, _) = compress(&small(), &content, 32, 1).unwrap();
    for path in Path::available() {
        let model = small().with_path(path);
        assert_eq!(model.vae().path().name(), path.name());
        for threads in [1, 2, 3] {
            let (file, _) = compress(&model, &content, 32, threads).unwrap();
            assert!(file == expected, "{}, {threads} threads", path.name());
        }
        assert!(
            decompress(&model, &expected, 2).unwrap() == content,
            "{}",
            path.name()
        );
    }
}

#[test]
fn every_path_agrees_on_every_kind_of_layer() {
    let content = idx(&tiny_data(300, 2), &TINY_SHAPE, 1);
    let (expected, _) = compress(&tiny_model(), &content, 16, 1).unwrap();
    for path in Path::available() {
        let (file, _) = compress(&tiny_model().with_path(path), &content, 16, 1).unwrap();
        assert!(file == expected, "{}", path.name());
    }
}

#[test]
fn a_row_does_not_depend_on_the_other_rows() {
    let model = small();
    let x = bbans::sample(&model, 37, 2, 0).unwrap();
    let posterior = |x: ArrayView2<'_, u8>| {
        let latents = model.vae().infer(x).unwrap().top_down().unwrap();
        latents.posterior().unwrap()
    };
    let batch = posterior(x.view());
    for (i, row) in x.axis_chunks_iter(Axis(0), 1).enumerate() {
        let alone = posterior(row);
        assert_eq!(alone.mean.column(0), batch.mean.column(i));
        assert_eq!(alone.inverse_sigma.column(0), batch.inverse_sigma.column(i));
    }
}

/// Layer by layer within `1e-5 (|b_j| + sum |x_k w_kj|)`, for dense layers; within 1e-5 for others.
#[test]
fn layers_agree_with_candle() {
    for file in [
        tiny_model_file("tiny", 7),
        causal_model_file("causal", 3),
        ModelFile::from_bytes(bbans_models::MODELS[0].bytes).unwrap(),
    ] {
        let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
        let network = Network::from_model_file(&file).unwrap();
        let vae = model.vae();
        let x = bbans::sample(&model, 20, 1, 0).unwrap().mapv(f32::from);
        let z = Array2::from_shape_fn((20, vae.latents()), |(i, d)| {
            ((i * 31 + d * 17) % 41) as f32 / 10.0 - 2.0
        });
        let exact = values(vae.encoder(), vae.path(), &x);
        compare(
            &file,
            &file.description.chains().unwrap().encoder,
            &x,
            &exact,
            &network.encoder_layers(&tensor(&x)).unwrap(),
        );
        let exact = values(vae.decoder(), vae.path(), &z);
        compare(
            &file,
            &file.description.chains().unwrap().decoder,
            &z,
            &exact,
            &network.decoder_layers(&tensor(&z)).unwrap(),
        );
    }
}

/// `[features, lanes]` of every layer on inputs `[lanes, features]`.
fn values(graph: &Graph, path: Path, x: &Array2<f32>) -> Vec<Array2<f32>> {
    let lanes = x.nrows();
    let x: Vec<f32> = x.t().iter().copied().collect();
    let values = graph.values(path, Inputs::Values(&[&x]), lanes).unwrap();
    let array =
        |values: Vec<f32>| Array2::from_shape_vec((values.len() / lanes, lanes), values).unwrap();
    values.into_iter().map(array).collect()
}

fn tensor(x: &Array2<f32>) -> Tensor {
    let values: Vec<f32> = x.iter().copied().collect();
    Tensor::from_vec(values, x.dim(), &Device::Cpu).unwrap()
}

fn compare(
    file: &ModelFile,
    layers: &[Layer],
    input: &Array2<f32>,
    exact: &[Array2<f32>],
    candle: &[Tensor],
) {
    assert_eq!((exact.len(), candle.len()), (layers.len(), layers.len()));
    for (i, layer) in layers.iter().enumerate() {
        let theirs: Vec<Vec<f32>> = candle[i].to_vec2().unwrap();
        // Errors of the layers before are in both inputs; compare with a bound that allows them.
        let before = if i == 0 {
            input.t()
        } else {
            exact[i - 1].view()
        };
        for ((j, row), &ours) in exact[i].indexed_iter() {
            let scale = match layer {
                Layer::Dense { name } | Layer::Cells { name, .. } => {
                    let w = &file.tensors[&format!("{name}.weight")];
                    let b = &file.tensors[&format!("{name}.bias")];
                    let &[inputs, outputs] = w.shape.as_slice() else {
                        panic!("{name}: {:?}", w.shape)
                    };
                    let (cell, j) = (j / outputs, j % outputs);
                    let its = before
                        .column(row)
                        .into_iter()
                        .skip(cell * inputs)
                        .take(inputs);
                    let sum: f32 = its
                        .enumerate()
                        .map(|(k, x)| (x * w.values[k * outputs + j]).abs())
                        .sum();
                    b.values[j].abs() + sum
                }
                _ => ours.abs().max(1.0),
            };
            let error = (ours - theirs[row][j]).abs();
            assert!(
                error <= 1e-5 * scale,
                "layer {i}, row {row}, {j}: {ours} {}",
                theirs[row][j]
            );
        }
    }
}

/// The ELBO for the same latents, exact engine against candle, within 1e-3 nats a datum.
#[test]
fn the_elbo_agrees_with_candle() {
    let file = ModelFile::from_bytes(bbans_models::MODELS[0].bytes).unwrap();
    let others = features_model_files()
        .into_iter()
        .chain([hierarchy_model_file()]);
    for file in [file, causal_model_file("causal", 3)]
        .into_iter()
        .chain(others)
    {
        elbo_agrees_with_candle(&file);
    }
}

/// A wrong number would be taken for right.
#[test]
fn likelihoods_that_are_not_known_are_refused() {
    use bbans::nn::Likelihood;
    let zeros = |n: usize| Tensor::zeros((1, n), candle_core::DType::F32, &Device::Cpu).unwrap();
    for file in grey_model_files() {
        let terms = Network::from_model_file(&file)
            .unwrap()
            .terms(&zeros(30), &zeros(3));
        let likelihood = file.description.likelihood;
        let causal = likelihood.window().is_some();
        assert_eq!(terms.is_ok(), causal, "{}", file.description.name);
        let mut starts = vec![0; likelihood.levels() + 1];
        let parameters = vec![0.0; likelihood.parameters()];
        let tables = likelihood.starts(Path::detect(), &parameters, &mut starts);
        assert_eq!(tables.is_err(), causal, "{}", file.description.name);
    }
    let tables = Likelihood::Bernoulli.starts(Path::detect(), &[0.0], &mut [0; 3]);
    assert!(tables.is_err());
}

fn elbo_agrees_with_candle(file: &ModelFile) {
    let model = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let network = Network::from_model_file(file).unwrap();
    let x = bbans::sample(&model, 50, 3, 0).unwrap();
    for (i, row) in x.axis_chunks_iter(Axis(0), 1).enumerate() {
        let ours = bbans::elbo_with(&model, row, 1, |_| || 0.0).unwrap()[0];
        let zeros = Tensor::zeros(
            (1, model.vae().latents()),
            candle_core::DType::F32,
            &Device::Cpu,
        )
        .unwrap();
        let (kl, reconstruction) = network
            .terms(&tensor(&row.mapv(f32::from)), &zeros)
            .unwrap();
        let theirs = kl.to_scalar::<f32>().unwrap() + reconstruction.to_scalar::<f32>().unwrap();
        let nats = ours.bits() * std::f64::consts::LN_2;
        assert!(
            (nats - f64::from(theirs)).abs() < 1e-3,
            "{i}: {nats} {theirs}"
        );
    }
    assert_eq!(model.dims(), x.ncols());
    assert_eq!(model.name(), file.description.name);
}
