//! Weights of other frameworks.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bbans::block::{Coder, Way};
use bbans::nn::import::{Arch, import};
use bbans::nn::likelihood::BetaBinomial;
use bbans::nn::simd::Path as SimdPath;
use bbans::nn::{Likelihood, ModelFile, Tensor};
use bbans::{DataReader, FileModel, LatentModel, VaeModel};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::compress;
use crate::support::{shared, tiny_model_file};

/// Weights as PyTorch would save them: a model of 6 values, 5 hidden units and 2 latents.
struct Torch(BTreeMap<String, (Vec<usize>, Vec<f32>)>, ChaCha8Rng);

impl Torch {
    fn new() -> Self {
        let mut torch = Self(BTreeMap::new(), ChaCha8Rng::seed_from_u64(4));
        for (name, outputs, inputs) in [
            ("fc1", 5, 6),
            ("mean", 2, 5),
            ("spread", 2, 5),
            ("up", 5, 2),
            ("out", 12, 5),
        ] {
            torch.add(&format!("{name}.weight"), &[outputs, inputs]);
            torch.add(&format!("{name}.bias"), &[outputs]);
        }
        for (name, width) in [("bn1", 5), ("bn2", 5)] {
            for part in ["weight", "bias", "running_mean", "running_var"] {
                torch.add(&format!("{name}.{part}"), &[width]);
            }
            let variance = torch.0.get_mut(&format!("{name}.running_var")).unwrap();
            variance.1.iter_mut().for_each(|v| *v = v.abs() + 0.1);
        }
        torch
    }

    fn add(&mut self, name: &str, shape: &[usize]) {
        let count = shape.iter().product();
        let values = (0..count).map(|_| self.1.next_u32() as f32 / u32::MAX as f32 - 0.5);
        self.0
            .insert(name.into(), (shape.to_vec(), values.collect()));
    }

    /// The bytes of the safetensors file, by the model file's own writer.
    fn bytes(&self) -> Vec<u8> {
        let mut file = tiny_model_file("torch", 1);
        let tensor = |(shape, values): &(Vec<usize>, Vec<f32>)| Tensor {
            shape: shape.clone(),
            values: values.clone(),
        };
        file.tensors = self.0.iter().map(|(n, t)| (n.clone(), tensor(t))).collect();
        file.to_bytes().unwrap()
    }

    /// `x W' + b` in `f64`.
    fn linear(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let (w, b) = (
            &self.0[&format!("{name}.weight")].1,
            &self.0[&format!("{name}.bias")].1,
        );
        let row = |(row, b): (&[f32], &f32)| {
            f64::from(*b)
                + row
                    .iter()
                    .zip(x)
                    .map(|(w, x)| f64::from(*w) * x)
                    .sum::<f64>()
        };
        w.chunks(x.len()).zip(b).map(row).collect()
    }

    fn batch_norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let part = |p: &str| &self.0[&format!("{name}.{p}")].1;
        (0..x.len())
            .map(|i| {
                let at = |p| f64::from(part(p)[i]);
                (x[i] - at("running_mean")) / (at("running_var") + 1e-5).sqrt() * at("weight")
                    + at("bias")
            })
            .collect()
    }
}

const ARCH: &str = r#"{
    "name": "torch", "data": {"shape": [2, 3], "divide": 127.5, "add": -1},
    "latent": {"dim": 2, "bin_precision": 8},
    "encoder": {
        "layers": [{"linear": "fc1"}, {"batch_norm": "bn1"}, "elu", "dropout"],
        "mean": [{"linear": "mean"}], "log_variance": [{"linear": "spread"}]
    },
    "decoder": [{"linear": "up"}, "softplus", {"batch_norm": "bn2"}, {"linear": "out"}],
    "likelihood": {"kind": "discretized_logistic", "levels": 256, "units": "inputs"}
}"#;

fn model(arch: &str) -> Result<(ModelFile, Vec<String>), String> {
    let arch = Arch::from_json(arch).map_err(|e| format!("{e:#}"))?;
    let imported = import(&Torch::new().bytes(), &arch).map_err(|e| format!("{e:#}"))?;
    Ok((imported.file, imported.unused))
}

/// Batch norm after and before a linear layer, scaled data, log variances, units and order of the
/// outputs: against the layers one by one in `f64`.
#[test]
fn what_is_folded_is_the_same_function() {
    let (file, unused) = model(ARCH).unwrap();
    assert!(unused.is_empty(), "{unused:?}");
    let vae = VaeModel::from_bytes(&file.to_bytes().unwrap()).unwrap();
    let vae = vae.vae();
    let torch = Torch::new();
    let x = ndarray::array![[0u16, 255, 17, 200, 99, 1]];
    let inputs: Vec<f64> = x.iter().map(|&v| f64::from(v) / 127.5 - 1.0).collect();
    let elu = |v: f64| if v > 0.0 { v } else { v.exp() - 1.0 };
    let hidden = torch.batch_norm("bn1", &torch.linear("fc1", &inputs));
    let hidden: Vec<f64> = hidden.into_iter().map(elu).collect();
    let (mean, log_variance) = (
        torch.linear("mean", &hidden),
        torch.linear("spread", &hidden),
    );
    let found = vae.infer(x.view()).unwrap().top_down().unwrap().posterior();
    let found = found.unwrap();
    for k in 0..2 {
        assert!((f64::from(found.mean[(k, 0)]) - mean[k]).abs() < 1e-5);
        assert!((f64::from(found.log_sigma[(k, 0)]) - 0.5 * log_variance[k]).abs() < 1e-5);
    }
    let z = [0.3f64, -1.2];
    let hidden = torch.linear("up", &z).into_iter().map(|v| v.exp().ln_1p());
    let out = torch.linear("out", &torch.batch_norm("bn2", &hidden.collect::<Vec<_>>()));
    let found = vae.parameters(Array2::from_shape_fn((2, 1), |(k, _)| z[k] as f32).view());
    let found = found.unwrap();
    for d in 0..6 {
        // Means in symbols, log scales in symbols; PyTorch's first 6 outputs are the means.
        assert!((f64::from(found[(2 * d, 0)]) - (out[d] + 1.0) * 127.5).abs() < 1e-3);
        let scale = out[6 + d] + 127.5f64.ln();
        assert!((f64::from(found[(2 * d + 1, 0)]) - scale).abs() < 1e-5);
    }
}

#[test]
fn heads_and_orders_give_the_same_model() {
    let (one, _) = model(ARCH).unwrap();
    let mut torch = Torch::new();
    // The same outputs as two heads of 6 each.
    let split = |torch: &mut Torch, part: &str, shape: &[usize], from: usize| {
        let values = torch.0[&format!("out.{part}")].1.clone();
        let half = values.len() / 2;
        for (i, name) in ["a", "b"].iter().enumerate() {
            let values = values[i * half..(i + 1) * half].to_vec();
            torch
                .0
                .insert(format!("{name}.{part}"), (shape.to_vec(), values));
        }
        assert_eq!(values.len(), from);
    };
    split(&mut torch, "weight", &[6, 5], 60);
    split(&mut torch, "bias", &[6], 12);
    let heads = ARCH.replace(
        r#"[{"linear": "up"}, "softplus", {"batch_norm": "bn2"}, {"linear": "out"}]"#,
        r#"{"layers": [{"linear": "up"}, "softplus", {"batch_norm": "bn2"}],
            "heads": [[{"linear": "a"}], [{"linear": "b"}]]}"#,
    );
    assert_ne!(heads, ARCH);
    let arch = Arch::from_json(&heads).unwrap();
    let imported = import(&torch.bytes(), &arch).unwrap();
    assert_eq!(imported.file, one);
    assert_eq!(imported.unused, ["out.bias", "out.weight"]);
}

#[test]
fn probabilities_become_logits() {
    let arch = ARCH
        .replace(r#""elu""#, r#""relu""#)
        .replace(
            r#"{"kind": "discretized_logistic", "levels": 256, "units": "inputs"}"#,
            r#"{"kind": "bernoulli", "outputs": "probabilities"}"#,
        )
        .replace(r#"{"linear": "out"}]"#, r#"{"linear": "fc1"}, "sigmoid"]"#)
        .replace(r#"{"linear": "up"}, "softplus", "#, r#"{"linear": "up"}, "#)
        .replace(r#""bn2"}, "#, r#""bn2"}, "relu", "#);
    let told = model(&arch).unwrap_err();
    assert!(
        told.contains("fc1.weight") && told.contains("[5, 6]"),
        "{told}"
    );
    let mut torch = Torch::new();
    torch.add("six.weight", &[6, 5]);
    torch.add("six.bias", &[6]);
    let arch = arch.replace(
        r#"{"linear": "fc1"}, "sigmoid"]"#,
        r#"{"linear": "six"}, "sigmoid"]"#,
    );
    let imported = import(&torch.bytes(), &Arch::from_json(&arch).unwrap()).unwrap();
    assert_eq!(imported.file.description.likelihood, Likelihood::Bernoulli);
    assert_eq!(imported.file.description.version, 1);
    let decoder = &imported.file.description.chains().unwrap().decoder;
    assert!(matches!(
        decoder.last(),
        Some(bbans::nn::Layer::Dense { .. })
    ));
}

#[test]
fn what_does_not_fit_is_told_in_a_line() {
    for (from, to, expected) in [
        (
            r#""elu""#,
            r#""elv""#,
            vec!["unknown layer \"elv\"", "softplus"],
        ),
        (
            r#"{"linear": "fc1"}"#,
            r#"{"conv2d": "c"}"#,
            vec!["layer 0", "[2, 3]", "[channels, rows, columns]", "reshape"],
        ),
        (
            r#"{"linear": "fc1"}"#,
            r#"{"linear": "fc9"}"#,
            vec!["no tensor fc9.weight", "fc1.weight"],
        ),
        (
            r#"{"linear": "fc1"}"#,
            r#"{"linear": "fc1", "bais": false}"#,
            vec!["bais", "bias"],
        ),
        (
            r#"{"linear": "up"}"#,
            r#"{"linear": "fc1"}"#,
            vec!["[5, 6]", "[5, 2]"],
        ),
        (
            r#""dim": 2"#,
            r#""dim": 3"#,
            vec!["mean.weight", "[2, 5]", "[3, 5]"],
        ),
        (r#""divide": 127.5"#, r#""divide": 0"#, vec!["divide"]),
        (r#""shape""#, r#""shap""#, vec!["shap", "shape"]),
        (
            r#""levels": 256"#,
            r#""levels": 257"#,
            vec!["257", "2 to 256"],
        ),
        (
            r#""log_variance""#,
            r#""log_sigma": [], "log_variance""#,
            vec!["log_sigma", "one of"],
        ),
        (
            r#"{"linear": "fc1"}, {"batch_norm": "bn1"}, "#,
            "",
            vec!["first layer must be linear"],
        ),
        (r#""relu""#, r#""relu""#, vec![]),
    ] {
        let arch = ARCH.replacen(from, to, 1);
        let Err(told) = model(&arch) else {
            assert!(expected.is_empty(), "{from} -> {to}");
            continue;
        };
        assert_eq!(told.lines().count(), 1, "{told}");
        for part in expected {
            assert!(told.contains(part), "{from} -> {to}: {part:?} in {told}");
        }
    }
}

#[test]
fn weights_that_are_damaged_are_refused() {
    let arch = Arch::from_json(ARCH).unwrap();
    let bytes = Torch::new().bytes();
    for cut in [0, 7, 100, bytes.len() - 1] {
        let told = import(&bytes[..cut], &arch).unwrap_err();
        let told = format!("{told:#}");
        assert!(told.contains("not a safetensors file"), "{told}");
    }
    let mut long = bytes.clone();
    long[7] = 255;
    assert!(import(&long, &arch).is_err());
    let mut torch = Torch::new();
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        torch.0.get_mut("up.bias").unwrap().1[3] = value;
        let told = import(&torch.bytes(), &arch).unwrap_err();
        let told = format!("{told:#}");
        assert!(told.contains("up.bias") && told.contains(text), "{told}");
    }
}

/// The networks that Townsend, Bird & Barber published, within half a percent of their bounds.
#[test]
fn published_networks_reach_their_bounds() {
    for (name, data, likelihood, expected) in [
        (
            "bernoulli",
            "data/binarized_mnist/binarized_mnist_test.amat.gz",
            Likelihood::Bernoulli,
            0.1940,
        ),
        (
            "beta-binomial",
            "data/mnist/t10k-images-idx3-ubyte.gz",
            Likelihood::BetaBinomial(BetaBinomial { levels: 256 }),
            1.391,
        ),
    ] {
        let weights = shared(&format!("models/bbans-paper-{name}.safetensors"));
        let (Some(weights), Some(data)) = (weights, shared(data)) else {
            return;
        };
        let arch = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../docs/import/townsend-2019-{name}.json"));
        let arch = Arch::from_json(&fs::read_to_string(arch).unwrap()).unwrap();
        let imported = import(&fs::read(weights).unwrap(), &arch).unwrap();
        let model = VaeModel::from_bytes(&imported.file.to_bytes().unwrap()).unwrap();
        assert_eq!(model.vae().likelihood(), likelihood);
        assert_eq!((model.shape(), model.dims()), (&[28, 28][..], 784));
        let mut content = Vec::new();
        let mut reader = DataReader::open(fs::File::open(data).unwrap(), "data").unwrap();
        loop {
            let rows = reader.read(1000).unwrap();
            if rows.count == 0 {
                break;
            }
            content.extend(rows.symbols);
        }
        let rows = Array2::from_shape_vec((content.len() / 784, 784), content).unwrap();
        let idx = crate::support::idx(&rows, &[28, 28], 1);
        let (file, _) = compress(
            &model.with_path(*SimdPath::available().last().unwrap()),
            &idx,
            64,
            2,
        )
        .unwrap();
        let bits = 8.0 * file.len() as f64 / rows.len() as f64;
        assert!((bits / expected - 1.0).abs() < 0.005, "{name}: {bits}");
    }
}

/// The examples of docs/import.md, made with PyTorch: their bounds are those that PyTorch computed in `f64` for the same
/// draws of the latents, and what they compress comes back.
#[test]
fn the_examples_have_the_bounds_of_pytorch() {
    for name in ["conv-vae", "ladder-vae", "attention-vae"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/import/{name}"));
        let read = |file: &str| fs::read(folder.join(file)).unwrap();
        let arch = String::from_utf8(read("arch.json")).unwrap();
        let arch = Arch::from_json(&arch).unwrap();
        let imported = import(&read("weights.safetensors"), &arch).unwrap();
        assert!(imported.unused.is_empty(), "{:?}", imported.unused);
        let bytes = imported.file.to_bytes().unwrap();
        let model = VaeModel::from_bytes(&bytes).unwrap();
        let bytes = read("bound.safetensors");
        let fixture = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let f64s = |name: &str| -> Vec<f64> {
            let (values, _) = fixture.tensor(name).unwrap().data().as_chunks();
            values.iter().map(|&b| f64::from_le_bytes(b)).collect()
        };
        let (noise, _) = fixture.tensor("noise").unwrap().data().as_chunks();
        let noise: Vec<f32> = noise.iter().map(|&b| f32::from_le_bytes(b)).collect();
        let x = fixture.tensor("x").unwrap().data();
        let x: Vec<u16> = x.iter().map(|&b| u16::from(b)).collect();
        let (count, dims) = (x.len() / model.dims(), model.dims());
        let x = Array2::from_shape_vec((count, dims), x).unwrap();
        let latents = model.vae().latents();
        assert_eq!(noise.len(), count * latents);
        let bounds = bbans::elbo_with(&model, x.view(), 1, |datum| {
            let mut draws = noise[datum * latents..][..latents].iter();
            move || f64::from(*draws.next().unwrap())
        });
        let parts = f64s("kl_bits").into_iter().zip(f64s("reconstruction_bits"));
        for (found, (kl, reconstruction)) in bounds.unwrap().into_iter().zip(parts) {
            let off =
                (found.kl_bits - kl).abs() + (found.reconstruction_bits - reconstruction).abs();
            assert!(off / dims as f64 <= 1e-5, "{name}: {off} bits");
        }
        let content = crate::support::idx(&x, &[28, 28], 1);
        let (file, _) = compress(&model, &content, 8, 2).unwrap();
        assert_eq!(crate::decompress(&model, &file, 2).unwrap(), content);
    }
}

/// A point of a group may have no mass under its posterior, and then says nothing of the groups below. Blocks of many data
/// begin with points none the less, and so does each of independent data.
#[test]
fn points_without_mass_under_the_posterior_are_no_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import/ladder-vae");
    let read = |file: &str| fs::read(folder.join(file)).unwrap();
    let arch = Arch::from_json(&String::from_utf8(read("arch.json")).unwrap()).unwrap();
    let imported = import(&read("weights.safetensors"), &arch).unwrap();
    let model = VaeModel::from_bytes(&imported.file.to_bytes().unwrap()).unwrap();
    let count = 700;
    let x = bbans::samples(&model, count, 1, || Ok(())).unwrap();
    let x = Array2::from_shape_vec((count, model.dims()), x).unwrap();
    let way = Way::plain(64).whitened(&model);
    let coder = Coder::new(&model, way);
    let block = coder.encode_with_points(x.view(), 7).unwrap().unwrap();
    assert!(block.plan.points > 0);
    let decoded = coder.decode(block.plan, block.words).unwrap();
    assert_eq!((decoded.data, decoded.payload), (x, Some(7)));
}

/// Rows are the first axis of a linear layer on rows: half the log variance is no factor of its weights.
#[test]
fn means_and_scales_of_rows_are_cut_along_rows() {
    let mut torch = Torch::new();
    for (name, shape) in [("both.weight", vec![3, 2]), ("both.bias", vec![3])] {
        torch.add(name, &shape);
    }
    torch.add("out.weight", &[8, 6]);
    torch.add("out.bias", &[8]);
    let arch = r#"{
        "name": "rows",
        "data": {"shape": [4, 2]},
        "encoder": {"layers": [], "mean_and_log_variance": [{"linear_rows": "both"}]},
        "decoder": [{"linear": "out"}],
        "likelihood": {"kind": "bernoulli", "outputs": "logits"}
    }"#;
    let imported = import(&torch.bytes(), &Arch::from_json(arch).unwrap()).unwrap();
    let model = VaeModel::from_bytes(&imported.file.to_bytes().unwrap()).unwrap();
    let x = [1u16, 0, 0, 1, 1, 1, 0, 0];
    let data = Array2::from_shape_vec((1, 8), x.to_vec()).unwrap();
    let latents = model.vae().infer(data.view()).unwrap().top_down().unwrap();
    let posterior = latents.posterior().unwrap();
    for row in 0..4 {
        let inputs = [f64::from(x[2 * row]), f64::from(x[2 * row + 1])];
        for (j, expected) in torch.linear("both", &inputs).into_iter().enumerate() {
            let (found, expected) = match row {
                0 | 1 => (posterior.mean[(3 * row + j, 0)], expected),
                _ => (posterior.log_sigma[(3 * (row - 2) + j, 0)], 0.5 * expected),
            };
            assert!((f64::from(found) - expected).abs() < 1e-6, "{row} {j}");
        }
    }
}
