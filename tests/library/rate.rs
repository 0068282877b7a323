//! The file is as long as the bound says, on the data that are built in and on the real ones.

use bbans::VaeModel;
use ndarray::Array2;

use crate::support::{idx, shared};
use crate::{compress, decompress};

fn small() -> VaeModel {
    VaeModel::from_bytes(bbans_models::MODELS[0].bytes).unwrap()
}

fn bound_bits_per_dim(model: &VaeModel, data: &Array2<u16>, samples: usize) -> f64 {
    let bounds = bbans::elbo(model, data.view(), samples, 1, 0).unwrap();
    bounds.iter().map(bbans::Elbo::bits).sum::<f64>() / data.len() as f64
}

#[test]
fn samples_cost_what_the_bound_says() {
    let model = small();
    let data = bbans::sample(&model, 2000, 11, 0).unwrap();
    let bound = bound_bits_per_dim(&model, &data, 8);
    let content = idx(&data, &[28, 28], 1);
    let mut sizes = Vec::new();
    for lanes in [1, 16, 64] {
        let (file, report) = compress(&model, &content, lanes, 1).unwrap();
        assert!(decompress(&model, &file, 1).unwrap() == content);
        let net = report.net_bits_per_dim() / bound;
        assert!(
            (0.99..1.005).contains(&net),
            "{lanes} lanes: net is {net} of the bound"
        );
        assert!(report.frame_bytes < 250);
        sizes.push(file.len() as f64);
    }
    assert!(sizes[2] / sizes[0] < 1.006, "64 lanes against 1: {sizes:?}");
}

/// The figures that the project promises, on the static binarized MNIST test set.
#[test]
fn the_real_test_set_meets_the_promises() {
    let Some((content, data)) = real_test_set() else {
        return;
    };
    let model = small();
    let bound = bound_bits_per_dim(&model, &data, 2);
    assert!(bound < 0.180, "-ELBO is {bound} bits/dim");
    let mut sizes = Vec::new();
    for lanes in [1, 16, 64] {
        let (file, report) = compress(&model, &content, lanes, 2).unwrap();
        assert!(decompress(&model, &file, 2).unwrap() == content);
        let gross = report.gross_bits_per_dim();
        assert!(
            gross <= 1.004 * bound,
            "{lanes} lanes: {gross} against {bound}"
        );
        assert!(report.frame_bytes < 250, "{}", report.frame_bytes);
        sizes.push(file.len() as f64);
    }
    assert!(
        (sizes[2] / sizes[0] - 1.0).abs() < 0.001,
        "64 lanes against 1: {sizes:?}"
    );
}

#[test]
fn the_balanced_and_the_best_model_meet_their_promises() {
    let Some((content, data)) = real_test_set() else {
        return;
    };
    meets_its_promise("mnist-binary-balanced", &content, &data, 0.153);
    meets_its_promise("mnist-binary-best", &content, &data, 0.150);
    meets_its_promise("mnist-binary-best-2", &content, &data, 0.1488);
}

#[test]
fn the_gray_models_meet_their_promises() {
    let Some(path) = shared("data/mnist/t10k-images-idx3-ubyte.gz") else {
        return;
    };
    let content = gunzipped(&path);
    let data = Array2::from_shape_vec(
        (10_000, 784),
        content[16..].iter().map(|&b| u16::from(b)).collect(),
    )
    .unwrap();
    meets_its_promise("mnist-gray", &content, &data, 1.10);
    meets_its_promise("mnist-gray-2", &content, &data, 1.05);
}

/// A file of at most so many bits/dim, and within 0.4% of the bound.
fn meets_its_promise(name: &str, content: &[u8], data: &Array2<u16>, most: f64) {
    let embedded = bbans_models::MODELS.iter().find(|m| m.name == name);
    let model = VaeModel::from_bytes(embedded.unwrap().bytes).unwrap();
    let bound = bound_bits_per_dim(&model, data, 2);
    let (file, report) = compress(&model, content, 64, 2).unwrap();
    assert!(decompress(&model, &file, 2).unwrap() == content);
    let gross = report.gross_bits_per_dim();
    assert!(gross <= most, "{name}: the file is {gross} bits/dim");
    assert!(gross <= 1.004 * bound, "{name}: {gross} against {bound}");
}

fn gunzipped(path: &std::path::Path) -> Vec<u8> {
    let mut content = Vec::new();
    let mut file = flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap());
    std::io::Read::read_to_end(&mut file, &mut content).unwrap();
    content
}

/// The static binarized MNIST test set: the file's text, and the same as data.
fn real_test_set() -> Option<(Vec<u8>, Array2<u16>)> {
    let path = shared("data/binarized_mnist/binarized_mnist_test.amat.gz")?;
    let content = gunzipped(&path);
    let bits: Vec<u16> = content
        .iter()
        .filter(|b| b.is_ascii_digit())
        .map(|b| u16::from(b - b'0'))
        .collect();
    let data = Array2::from_shape_vec((10_000, 784), bits).unwrap();
    Some((content, data))
}
