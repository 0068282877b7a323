//! Models without latents, of version 9, with random weights: what archives carry.

use bbans::nn::{ModelFile, Tensor};
use serde_json::{Value, json};

use super::graphs::with_random_weights;

/// Bits and levels of pictures by heads that see neighbours, and a table.
pub fn models_without_latents() -> Vec<ModelFile> {
    let places = |shape: &[usize], channels: usize| {
        let positions: usize = shape.iter().product();
        json!({
            "inputs": [],
            "nodes": [{"id": "place", "op": "constant", "shape": [positions, channels], "inputs": []}],
            "outputs": ["place"],
        })
    };
    let layers = |id: &str, input: &str, width: usize, outputs: usize| {
        json!({
            "inputs": [input],
            "nodes": [
                {"id": id, "op": "dense", "outputs": width, "inputs": [input]},
                {"id": format!("{id}/silu"), "op": "silu", "inputs": [id]},
                {"id": format!("{id}.out"), "op": "dense", "outputs": outputs, "inputs": [format!("{id}/silu")]},
            ],
            "outputs": [format!("{id}.out")],
        })
    };
    let model = |name: &str, shape: &[usize], likelihood: Value, decode: Value, head: Value| {
        json!({
            "version": 9,
            "name": name,
            "data_shape": shape,
            "likelihood": likelihood,
            "decode": decode,
            "head": head,
        })
    };
    let bits = model(
        "archive-of-bits",
        &[6, 5],
        json!({"causal_bernoulli": {"channels": 2, "above": 2, "side": 1}}),
        places(&[6, 5], 2),
        json!([
            {"function": layers("head.0", "pixel", 4, 3)},
            {"above": 1, "side": 1, "function": layers("head.1", "pixel", 5, 1)},
        ]),
    );
    let levels = model(
        "archive-of-levels",
        &[6, 5],
        json!({"causal_categorical": {
            "window": {"channels": 1, "above": 1, "side": 2}, "levels": 9, "embedding": 2,
        }}),
        places(&[6, 5], 1),
        json!([{"function": layers("head.0", "pixel", 4, 9)}]),
    );
    let symbol = |i: usize, levels: usize| {
        json!({
            "distribution": {"categorical": {"levels": levels}},
            "scaling": {"middle": 2.0, "unit": 1.5},
            "function": layers(&format!("symbols.{i}"), "known", 3, levels),
        })
    };
    let mut table = model(
        "archive-of-columns",
        &[3],
        json!({"autoregressive": {
            "window": {"channels": 1, "above": 0, "side": 0}, "symbols": 3, "levels": 6,
        }}),
        places(&[1], 1),
        json!([{"function": {
            "inputs": ["known"],
            "nodes": [{"id": "head", "op": "reshape", "shape": [1], "inputs": ["known"]}],
            "outputs": ["head"],
        }}]),
    );
    table["symbols"] = json!([symbol(0, 6), symbol(1, 2), symbol(2, 4)]);
    [bits, levels, table]
        .into_iter()
        .map(with_random_weights)
        .collect()
}

/// The same with weights that are multiples of steps.
pub fn on_grids(mut file: ModelFile) -> ModelFile {
    for (i, tensor) in file.tensors.values_mut().enumerate() {
        let channels = tensor.shape.last().copied().unwrap_or(1);
        // One step for every second tensor, for others one for each channel.
        let step = |at: usize| match i % 2 {
            0 => 0.0625,
            _ => 0.03125 * (1.0 + (at % channels % 3) as f32 / 4.0),
        };
        let values = tensor.values.iter().enumerate();
        let values = values.map(|(at, v)| (v / step(at)).round() * step(at));
        *tensor = Tensor::new(tensor.shape.clone(), values.collect()).unwrap();
    }
    file
}
