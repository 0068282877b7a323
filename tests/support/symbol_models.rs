//! Models of version 8: of one symbol after another, with random weights.

use bbans::nn::ModelFile;
use serde_json::{Value, json};

use super::graphs::{dense, with_random_weights};

/// Models of one symbol after another: pictures in colour, with two stages; a signal of 16 bits; a table; pictures with
/// green first.
pub fn symbol_model_files() -> Vec<ModelFile> {
    let window = |channels: usize, above: usize, side: usize| json!({"channels": channels, "above": above, "side": side});
    let function = |id: &str, outputs: usize| {
        json!({
            "inputs": ["known"],
            "nodes": [
                {"id": id, "op": "dense", "inputs": ["known"], "outputs": outputs},
                {"id": format!("{id}.tanh"), "op": "tanh", "inputs": [id]},
                {"id": format!("{id}.out"), "op": "dense", "inputs": [format!("{id}.tanh")], "outputs": outputs}
            ],
            "outputs": [format!("{id}.out")]
        })
    };
    let symbol = |i: usize, distribution: Value, parameters: usize, middle: f32, unit: f32| {
        json!({
            "distribution": distribution,
            "scaling": {"middle": middle, "unit": unit},
            "function": function(&format!("symbols.{i}"), parameters)
        })
    };
    let model = |name: &str,
                 shape: &[usize],
                 symbols: Vec<Value>,
                 window: Value,
                 head: Value,
                 levels: usize| {
        let positions = shape.iter().product::<usize>() / symbols.len();
        let channels = window["channels"].as_u64().unwrap() as usize;
        let likelihood = json!({"autoregressive": {"window": window, "symbols": symbols.len(), "levels": levels}});
        let mut model = dense(name, shape, likelihood, positions * channels);
        model["version"] = json!(8);
        model["head"] = head;
        model["symbols"] = json!(symbols);
        model
    };
    let mut colours = vec![
        symbol(
            0,
            json!({"logistics": {"levels": 300, "components": 2}}),
            6,
            150.0,
            80.0,
        ),
        symbol(
            1,
            json!({"hurdle": {"levels": 40, "components": 1, "frequent": 7}}),
            3,
            20.0,
            10.0,
        ),
        symbol(2, json!({"categorical": {"levels": 5}}), 5, 2.0, 1.5),
    ];
    colours[2]["embedding"] = json!(2);
    let colours = model(
        "symbols-of-pictures",
        &[3, 4, 3],
        colours,
        window(2, 1, 1),
        json!([{"function": function("head.0", 4)}, {"above": 1, "side": 2, "function": function("head.1", 5)}]),
        300,
    );
    let mut signal = model(
        "symbols-of-signals",
        &[7],
        vec![symbol(
            0,
            json!({"logistics": {"levels": 65536, "components": 3}}),
            9,
            32768.0,
            9000.0,
        )],
        window(1, 0, 3),
        json!([{"function": function("head.0", 3)}]),
        65536,
    );
    signal["values"] = json!({"numbers": {"lowest": -32768, "step": 1}});
    let mut table = model(
        "symbols-of-tables",
        &[4],
        vec![
            symbol(0, json!({"categorical": {"levels": 3}}), 3, 1.0, 1.0),
            symbol(
                1,
                json!({"hurdle": {"levels": 1002, "components": 2, "frequent": 1}}),
                7,
                400.0,
                300.0,
            ),
            symbol(
                2,
                json!({"logistics": {"levels": 50, "components": 1}}),
                2,
                25.0,
                12.0,
            ),
            symbol(3, json!({"categorical": {"levels": 1}}), 1, 0.0, 1.0),
        ],
        window(2, 0, 0),
        json!([{"function": function("head.0", 3)}]),
        1002,
    );
    let numbers = |lowest: i64, step: u32, count: usize, decimals: u8, zeros: &str| {
        json!({
            "lowest": lowest, "step": step, "count": count, "decimals": decimals, "zeros": zeros
        })
    };
    table["values"] = json!({"columns": [
        {"name": "cut", "texts": ["Ideal", "Good, or not", "Fair"]},
        {"name": "carat", "texts": ["NA"], "numbers": numbers(-500, 1, 1001, 2, "cut")},
        {"name": "year", "numbers": numbers(1900, 2, 50, 0, "kept")},
        {"name": "always", "texts": ["x"]}
    ]});
    let green = |i: usize, levels: usize, middle: f32| {
        let logistics = json!({"logistics": {"levels": levels, "components": 1}});
        symbol(i, logistics, 2, middle, 40.0)
    };
    let green = vec![
        green(0, 256, 128.0),
        green(1, 511, 255.0),
        green(2, 511, 255.0),
    ];
    let mut green = model(
        "symbols-of-colours",
        &[3, 4, 3],
        green,
        window(2, 1, 1),
        json!([{"function": function("head.0", 4)}]),
        511,
    );
    green["values"] = json!({"green_first": {"levels": 256, "channels": 3}});
    [colours, signal, table, green]
        .into_iter()
        .map(with_random_weights)
        .collect()
}
