//! Models of versions 6 to 8: small ones of many operations, with random weights.

use std::collections::BTreeMap;

use bbans::nn::description::{BinKind, SymbolHead};
use bbans::nn::graph::Function;
use bbans::nn::likelihood::{EMBEDDING, Kind, SymbolKind};
use bbans::nn::{Description, Likelihood, ModelFile, Tensor, bins};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Two groups of latents, the second with a prior of its own; of bits.
fn ladder() -> Value {
    json!({
        "version": 6,
        "name": "ladder",
        "data_shape": [6, 5],
        "likelihood": "bernoulli",
        "latent": {"dim": 9, "bin_precision": 6, "log_sigma": [-3.0, 1.0]},
        "encode": {
            "inputs": ["x"],
            "nodes": [
                {"id": "picture", "op": "reshape", "inputs": ["x"], "shape": [1, 6, 5]},
                {"id": "encode.0", "op": "conv2d", "inputs": ["picture"], "channels": 4, "kernel": [3, 3],
                 "padding": [1, 1, 1, 1]},
                {"id": "encode.1", "op": "group_norm", "inputs": ["encode.0"], "groups": 2, "eps": 1e-5},
                {"id": "low", "op": "silu", "inputs": ["encode.1"]},
                {"id": "encode.2", "op": "conv2d", "inputs": ["low"], "channels": 3, "kernel": [2, 3],
                 "stride": [2, 2], "padding": [0, 0, 1, 1]},
                {"id": "high", "op": "gelu", "inputs": ["encode.2"]}
            ],
            "outputs": ["low", "high"]
        },
        "start": {
            "inputs": [],
            "nodes": [{"id": "top", "op": "constant", "inputs": [], "shape": [5]}],
            "outputs": ["top"]
        },
        "groups": [
            {
                "latents": "z1",
                "shape": [3],
                "posterior": {
                    "inputs": ["high", "top"],
                    "nodes": [
                        {"id": "flat", "op": "reshape", "inputs": ["high"], "shape": [27]},
                        {"id": "both", "op": "concat", "inputs": ["flat", "top"]},
                        {"id": "posterior.1", "op": "dense", "inputs": ["both"], "outputs": 6},
                        {"id": "mean", "op": "slice", "inputs": ["posterior.1"], "start": 0, "end": 3},
                        {"id": "log_sigma", "op": "slice", "inputs": ["posterior.1"], "start": 3, "end": 6}
                    ],
                    "outputs": ["mean", "log_sigma"]
                },
                "update": {
                    "inputs": ["z1", "top"],
                    "nodes": [
                        {"id": "update.0", "op": "dense", "inputs": ["z1"], "outputs": 5},
                        {"id": "sum", "op": "add", "inputs": ["update.0", "top"]},
                        {"id": "state", "op": "leaky_relu", "inputs": ["sum"], "slope": 0.25}
                    ],
                    "outputs": ["state"]
                }
            },
            {
                "latents": "z0",
                "shape": [2, 3, 1],
                "prior": {
                    "inputs": ["state"],
                    "nodes": [
                        {"id": "prior.0", "op": "dense", "inputs": ["state"], "outputs": 6},
                        {"id": "prior.1", "op": "dense", "inputs": ["state"], "outputs": 6},
                        {"id": "extra", "op": "tanh", "inputs": ["prior.0"]}
                    ],
                    "outputs": ["prior.0", "prior.1", "extra"]
                },
                "posterior": {
                    "inputs": ["low", "extra"],
                    "nodes": [
                        {"id": "pooled", "op": "average_pool", "inputs": ["low"], "kernel": [2, 5], "stride": [2, 1]},
                        {"id": "cut", "op": "slice", "inputs": ["pooled"], "start": 0, "end": 2},
                        {"id": "moved", "op": "reshape", "inputs": ["cut"], "shape": [6]},
                        {"id": "mean", "op": "add", "inputs": ["moved", "extra"]},
                        {"id": "log_sigma", "op": "mul", "inputs": ["moved", "mean"]}
                    ],
                    "outputs": ["mean", "log_sigma"]
                }
            }
        ],
        "decode": {
            "inputs": ["z0", "state"],
            "nodes": [
                {"id": "decode.0", "op": "conv_transpose2d", "inputs": ["z0"], "channels": 4, "kernel": [2, 5],
                 "stride": [2, 1]},
                {"id": "decode.1", "op": "dense", "inputs": ["state"], "outputs": 4},
                {"id": "grown", "op": "reshape", "inputs": ["decode.1"], "shape": [4, 1, 1]},
                {"id": "wide", "op": "upsample", "inputs": ["grown"], "factor": [6, 5]},
                {"id": "joined", "op": "add", "inputs": ["decode.0", "wide"]},
                {"id": "smooth", "op": "elu", "inputs": ["joined"]},
                {"id": "decode.2", "op": "conv2d", "inputs": ["smooth"], "channels": 1, "kernel": [1, 1]}
            ],
            "outputs": ["decode.2"]
        }
    })
}

/// A model of one group of two latents whose decoder is a dense layer.
pub(super) fn dense(name: &str, shape: &[usize], likelihood: Value, outputs: usize) -> Value {
    let half = |id: &str, start: usize| json!({"id": id, "op": "slice", "inputs": ["posterior.0"], "start": start, "end": start + 2});
    json!({
        "version": 6,
        "name": name,
        "data_shape": shape,
        "likelihood": likelihood,
        "latent": {"dim": 2, "bin_precision": 6, "log_sigma": [-3.0, 1.0]},
        "encode": {
            "inputs": ["x"],
            "nodes": [
                {"id": "encode.0", "op": "dense", "inputs": ["x"], "outputs": 7},
                {"id": "features", "op": "softplus", "inputs": ["encode.0"]}
            ],
            "outputs": ["features"]
        },
        "groups": [{
            "latents": "z",
            "shape": [2],
            "posterior": {
                "inputs": ["features"],
                "nodes": [
                    {"id": "normed", "op": "layer_norm", "inputs": ["features"], "eps": 1e-5},
                    {"id": "posterior.0", "op": "dense", "inputs": ["normed"], "outputs": 4},
                    half("mean", 0),
                    half("log_sigma", 2)
                ],
                "outputs": ["mean", "log_sigma"]
            }
        }],
        "decode": {
            "inputs": ["z"],
            "nodes": [
                {"id": "decode.0", "op": "dense", "inputs": ["z"], "outputs": 6},
                {"id": "decode.1", "op": "tanh", "inputs": ["decode.0"]},
                {"id": "decode.2", "op": "dense", "inputs": ["decode.1"], "outputs": outputs}
            ],
            "outputs": ["decode.2"]
        }
    })
}

/// A causal likelihood whose head sees features of neighbours.
fn causal() -> Value {
    let window = json!({"channels": 2, "above": 1, "side": 2});
    let likelihood = json!({"causal_categorical": {"window": window, "levels": 6, "embedding": 3}});
    let mut model = dense("causal", &[6, 5], likelihood, 60);
    let stage = |id: &str, outputs: usize| {
        json!({
            "inputs": ["pixel"],
            "nodes": [
                {"id": id, "op": "dense", "inputs": ["pixel"], "outputs": outputs},
                {"id": "smooth", "op": "silu", "inputs": [id]}
            ],
            "outputs": ["smooth"]
        })
    };
    model["head"] = json!([
        {"function": stage("head.0", 5)},
        {"above": 1, "side": 1, "function": stage("head.1", 4)},
        {"function": stage("head.2", 6)}
    ]);
    model
}

/// Posteriors beyond where the prior has mass, over bins of equal width.
fn far() -> Value {
    let mut model = dense("far", &[6, 5], json!("bernoulli"), 30);
    model["version"] = json!(7);
    model["latent"] =
        json!({"dim": 2, "bin_precision": 8, "bins": "masses", "log_sigma": [-3.0, 1.0]});
    let nodes = model["groups"][0]["posterior"]["nodes"]
        .as_array_mut()
        .unwrap();
    let sum = |id: &str, of: &str| json!({"id": id, "op": "add", "inputs": [of, of]});
    nodes.insert(2, sum("twice", "posterior.0"));
    nodes.insert(3, sum("wide", "twice"));
    for half in &mut nodes[4..] {
        half["inputs"] = json!(["wide"]);
    }
    model
}

/// A model of thermometers: a latent between 4 and 7, beyond the bins of a standard prior, tells how many of 30 bits
/// are 1, the first ones.
pub fn thermometer_model_file() -> ModelFile {
    let dense = |id: &str, from: &str, outputs: usize| {
        let node = json!({"id": id, "op": "dense", "inputs": [from], "outputs": outputs});
        json!({"inputs": [from], "nodes": [node], "outputs": [id]})
    };
    let mut posterior = dense("mean", "height", 1);
    let nodes = posterior["nodes"].as_array_mut().unwrap();
    nodes.push(json!({"id": "log_sigma", "op": "dense", "inputs": ["height"], "outputs": 1}));
    posterior["outputs"] = json!(["mean", "log_sigma"]);
    let mut file = with_random_weights(json!({
        "version": 6,
        "name": "thermometer",
        "data_shape": [6, 5],
        "likelihood": "bernoulli",
        "latent": {"dim": 1, "bin_precision": 10, "log_sigma": [-4.0, 1.0]},
        "encode": dense("height", "x", 1),
        "groups": [{"latents": "z", "shape": [1], "posterior": posterior}],
        "decode": dense("logits", "z", 30)
    }));
    let mut set = |name: &str, value: &dyn Fn(usize) -> f32| {
        let values = &mut file.tensors.get_mut(name).unwrap().values;
        values
            .iter_mut()
            .enumerate()
            .for_each(|(i, v)| *v = value(i));
    };
    set("height.weight", &|_| 0.1);
    set("height.bias", &|_| 4.0);
    set("mean.weight", &|_| 1.0);
    set("mean.bias", &|_| 0.0);
    set("log_sigma.weight", &|_| 0.0);
    set("log_sigma.bias", &|_| -4.0);
    set("logits.weight", &|_| 60.0);
    set("logits.bias", &|i| -60.0 * (4.05 + 0.1 * i as f32));
    file
}

/// A model of version 8, of numbers from `lowest` on in steps of `step`.
pub fn numbers_model_file(shape: &[usize], levels: usize, lowest: i64, step: u32) -> ModelFile {
    let likelihood = json!({"discretized_gaussian": {"levels": levels}});
    let dims: usize = shape.iter().product();
    let mut model = dense("numbers", shape, likelihood, 2 * dims);
    model["version"] = json!(8);
    if (lowest, step) != (0, 1) {
        model["values"] = json!({"numbers": {"lowest": lowest, "step": step}});
    }
    with_random_weights(model)
}

/// Models of every part of versions 6 and 7.
pub fn graph_model_files() -> Vec<ModelFile> {
    let levels = 9;
    let gaussian = json!({"discretized_gaussian": {"levels": levels}});
    let colours = json!({"colour_logistics": {"levels": levels, "components": 2}});
    [
        ladder(),
        dense("gaussian", &[6, 5], gaussian, 60),
        dense("colours", &[2, 5, 3], colours, 200),
        causal(),
        far(),
    ]
    .into_iter()
    .map(with_random_weights)
    .collect()
}

/// The model of a description with random weights.
pub fn with_random_weights(description: Value) -> ModelFile {
    let description = Description::from_json(&description.to_string()).unwrap();
    let mut weights = Weights {
        rng: ChaCha8Rng::seed_from_u64(14),
        tensors: BTreeMap::new(),
        shapes: BTreeMap::new(),
    };
    let graphs = description.graphs(&BTreeMap::new()).unwrap().into_owned();
    if let Some(encode) = &graphs.encode {
        let data = encode.inputs[0].clone();
        weights.shapes.insert(data, description.data_shape.clone());
        weights.draw(encode);
    }
    graphs.start.iter().for_each(|f| weights.draw(f));
    for group in &graphs.groups {
        group.prior.iter().for_each(|f| weights.draw(f));
        weights.draw(&group.posterior);
        (weights.shapes).insert(group.latents.clone(), group.shape.clone());
        group.update.iter().for_each(|f| weights.draw(f));
    }
    weights.draw(&graphs.decode);
    let mut features = 0;
    for (i, stage) in graphs.head.iter().enumerate() {
        let seen = stage.above * (2 * stage.side + 1) + stage.side + 1;
        let inputs = match (description.likelihood.head(), description.likelihood) {
            (Some([inputs, _]), _) if i == 0 => inputs,
            (_, Likelihood::Autoregressive(likelihood)) if i == 0 => {
                let window = likelihood.window;
                let depth: usize = graphs.symbols.iter().map(SymbolHead::width).sum();
                window.channels + window.count() * depth
            }
            _ => seen * features,
        };
        let name = stage.function.inputs[0].clone();
        weights.shapes.insert(name, vec![inputs]);
        weights.draw(&stage.function);
        features = weights.shapes[&stage.function.outputs[0]].iter().product();
    }
    let mut known = features;
    for (i, symbol) in graphs.symbols.iter().enumerate() {
        weights.shapes.insert("known".to_owned(), vec![known]);
        weights.draw(&symbol.function);
        known += symbol.width();
        if symbol.embedding > 0 {
            let shape = vec![symbol.distribution.levels(), symbol.embedding];
            weights.tensor(SymbolHead::embedding_name(i), shape);
        }
    }
    // Parameters of mixtures are in units of the symbols.
    for (i, symbol) in graphs.symbols.iter().enumerate() {
        let (first, components) = match symbol.distribution {
            SymbolKind::Categorical { .. } => continue,
            SymbolKind::Logistics { components, .. } => (0, components),
            SymbolKind::Hurdle { components, .. } => (1, components),
        };
        let logits = if components > 1 { components } else { 0 };
        let bias = weights
            .tensors
            .get_mut(&format!("symbols.{i}.out.bias"))
            .unwrap();
        for k in 0..components {
            let part = (k as f32 + 0.5) / components as f32 - 0.5;
            bias.values[first + logits + k] =
                symbol.scaling.middle + 2.0 * part * symbol.scaling.unit;
            bias.values[first + logits + components + k] = symbol.scaling.unit.ln() - 0.5;
        }
    }
    if let Likelihood::CausalCategorical(causal) = description.likelihood {
        weights.tensor(EMBEDDING.to_owned(), vec![causal.levels, causal.embedding]);
    }
    let mut tensors = weights.tensors;
    let precision = description.latent.bin_precision;
    match description.latent.bins {
        _ if description.latent.is_none() => {}
        BinKind::EqualMass => bins::insert_standard_normal(&mut tensors, precision).unwrap(),
        BinKind::Masses => bins::insert_equal_width(&mut tensors, precision, 8.0).unwrap(),
    }
    ModelFile {
        description,
        tensors,
    }
}

struct Weights {
    rng: ChaCha8Rng,
    tensors: BTreeMap<String, Tensor>,
    /// Of all values.
    shapes: BTreeMap<String, Vec<usize>>,
}

impl Weights {
    fn draw(&mut self, function: &Function) {
        for node in &function.nodes {
            let shapes: Vec<Vec<usize>> = (node.inputs.iter())
                .map(|input| self.shapes[input].clone())
                .collect();
            let shapes: Vec<&[usize]> = shapes.iter().map(|shape| &shape[..]).collect();
            let operation = node.op.operation();
            for (part, shape) in operation.tensors(&shapes) {
                self.tensor(format!("{}.{part}", node.id), shape);
            }
            let output = operation.output(&shapes).unwrap();
            self.shapes.insert(node.id.clone(), output);
        }
    }

    fn tensor(&mut self, name: String, shape: Vec<usize>) {
        let count = shape.iter().product();
        let draw = |_| self.rng.next_u32() as f32 / u32::MAX as f32 - 0.5;
        let tensor = Tensor::new(shape, (0..count).map(draw).collect()).unwrap();
        self.tensors.insert(name, tensor);
    }
}
