//! What makes a description of sizes and facts.

use bbans_nn::Window;
use bbans_nn::likelihood::{Kind, SymbolKind};
use serde_json::{Value, json};

use super::DataKind;
use crate::archive;
use crate::facts::SymbolFacts;

/// Up to so many levels a symbol of a table has a logit for each, others a mixture.
const TABLE_LOGITS: usize = 1024;
/// Likewise of pictures and signals.
const LOGITS: usize = 32;
/// A symbol that is there so often is told apart from the others.
const FREQUENT: f64 = 0.2;
/// Positions of a step, about: many small steps learn more than few large ones.
const STEP: usize = 1 << 13;
/// Factor of differences of neighbours, in units of the data's deviation, before they are squashed.
const GAIN: f64 = 4.0;
/// Up to so many levels a category of a table is embedded.
const EMBEDDED: usize = 256;

/// Sizes of windows and layers.
pub(super) struct Sizes {
    pub(super) above: usize,
    pub(super) side: usize,
    /// Numbers that the decoder gives a position.
    pub(super) channels: usize,
    pub(super) latents: usize,
    /// Units of the layers before and after them.
    pub(super) of_latents: usize,
    /// Units of the layers of a position.
    pub(super) hidden: usize,
    /// Units of the layers of a symbol.
    pub(super) of_symbol: usize,
    /// Numbers that stand for a category.
    pub(super) embedding: usize,
    pub(super) components: usize,
}

/// What makes a description.
pub(super) struct Maker {
    pub(super) kind: DataKind,
    pub(super) sizes: Sizes,
    /// Whether there are latents.
    pub(super) latents: bool,
    /// Whether the model is to be small.
    pub(super) archive: bool,
}

impl Maker {
    pub(super) fn description(&self, shape: &[usize], facts: &[SymbolFacts]) -> Value {
        let Sizes {
            channels,
            latents,
            of_latents,
            of_symbol,
            ..
        } = self.sizes;
        let symbols = facts.len();
        let positions = shape.iter().product::<usize>() / symbols;
        let kinds: Vec<SymbolKind> = facts.iter().map(|f| self.kind(f)).collect();
        let heads: Vec<Value> = (kinds.iter().zip(facts).enumerate())
            .map(|(i, (kind, facts))| self.symbol(i, kind, facts, of_symbol, i + 1 == symbols))
            .collect();
        let levels = facts.iter().map(|f| f.levels).max().unwrap_or(1);
        let mut description = json!({
            "data_shape": shape,
            "likelihood": {"autoregressive": {
                "window": self.window(),
                "symbols": symbols,
                "levels": levels,
            }},
            "head": [{"function": self.stage(symbols)}],
            "symbols": heads,
            "training": self.schedule(positions),
        });
        if !self.latents {
            description["decode"] = self.places(shape, positions);
            return description;
        }
        let of_latents = json!({
            "latent": {"bin_precision": 10, "log_sigma": [-8.0, 4.0]},
            "encode": chain("data", "features", &[
                ("encode.0", json!({"op": "dense", "outputs": of_latents})),
                ("encode.0.silu", json!({"op": "silu"})),
                ("encode.1", json!({"op": "dense", "outputs": of_latents})),
                ("features", json!({"op": "silu"})),
            ]),
            "groups": [{
                "latents": "z",
                "shape": [latents],
                "posterior": {
                    "inputs": ["features"],
                    "nodes": [
                        {"id": "posterior", "op": "dense", "outputs": 2 * latents, "inputs": ["features"]},
                        {"id": "mean", "op": "slice", "start": 0, "end": latents, "inputs": ["posterior"]},
                        {"id": "log_sigma", "op": "slice", "start": latents, "end": 2 * latents, "inputs": ["posterior"]},
                    ],
                    "outputs": ["mean", "log_sigma"],
                },
            }],
            "decode": chain("z", "decode.1", &[
                ("decode.0", json!({"op": "dense", "outputs": of_latents})),
                ("decode.0.silu", json!({"op": "silu"})),
                ("decode.1", json!({"op": "dense", "outputs": positions * channels})),
            ]),
        });
        if let (Value::Object(all), Value::Object(more)) = (&mut description, of_latents) {
            all.extend(more);
        }
        description
    }

    /// What is known of positions without latents: their place.
    fn places(&self, shape: &[usize], positions: usize) -> Value {
        let channels = self.sizes.channels;
        match (self.kind, shape) {
            (DataKind::Pixels, [rows, columns, ..]) => archive::places(*rows, *columns, channels),
            _ => json!({
                "inputs": [],
                "nodes": [{"id": "place", "op": "constant", "shape": [positions, channels], "inputs": []}],
                "outputs": ["place"],
            }),
        }
    }

    /// What is known of a position, and functions of it.
    fn stage(&self, symbols: usize) -> Value {
        let (hidden, window) = (self.sizes.hidden, self.window());
        if window.count() == 0 && !self.latents {
            let nothing = json!({"id": "head", "op": "reshape", "shape": [window.channels], "inputs": ["known"]});
            return json!({"inputs": ["known"], "nodes": [nothing], "outputs": ["head"]});
        }
        let (mut nodes, input) = relative(window, symbols);
        nodes.extend([
            json!({"id": "head.0", "op": "dense", "outputs": hidden, "inputs": [input]}),
            json!({"id": "head.0.silu", "op": "silu", "inputs": ["head.0"]}),
        ]);
        let mut last = "head.0.silu";
        // Without neighbours what is known is of the latents alone.
        if window.count() > 0 {
            nodes.extend([
                json!({"id": "head.1", "op": "dense", "outputs": hidden, "inputs": ["head.0.silu"]}),
                json!({"id": "head.1.silu", "op": "silu", "inputs": ["head.1"]}),
                json!({"id": "head.all", "op": "concat", "inputs": ["head.1.silu", "near.squashed", "known"]}),
            ]);
            last = "head.all";
        }
        json!({"inputs": ["known"], "nodes": nodes, "outputs": [last]})
    }

    fn symbol(
        &self,
        i: usize,
        kind: &SymbolKind,
        facts: &SymbolFacts,
        hidden: usize,
        is_last: bool,
    ) -> Value {
        let id = |part: &str| format!("symbols.{i}.{part}");
        let mut nodes = vec![
            json!({"id": id("0"), "op": "dense", "outputs": hidden, "inputs": ["known"]}),
            json!({"id": id("0.silu"), "op": "silu", "inputs": [id("0")]}),
        ];
        let mut last = id("0.silu");
        if self.kind == DataKind::Table {
            nodes.push(json!({"id": id("1"), "op": "dense", "outputs": hidden, "inputs": [last]}));
            nodes.push(json!({"id": id("1.silu"), "op": "silu", "inputs": [id("1")]}));
            last = id("1.silu");
        }
        let many = matches!(kind, SymbolKind::Categorical { levels } if *levels > LOGITS);
        if self.archive && many {
            // Weights of many levels are what such a model would mostly be.
            let rank = (hidden / 4).clamp(2, 8);
            nodes.push(json!({"id": id("few"), "op": "dense", "outputs": rank, "inputs": [last]}));
            last = id("few");
        } else {
            nodes.push(json!({"id": id("all"), "op": "concat", "inputs": [last, "known"]}));
            last = id("all");
        }
        let parameters = kind.parameters();
        nodes
            .push(json!({"id": id("out"), "op": "dense", "outputs": parameters, "inputs": [last]}));
        let mut symbol = json!({
            "distribution": kind,
            // Numbers that a 32-bit float has.
            "scaling": {"middle": facts.mean as f32, "unit": facts.deviation.max(0.25) as f32},
            "function": {"inputs": ["known"], "nodes": nodes, "outputs": [id("out")]},
        });
        let categories =
            matches!(kind, SymbolKind::Categorical { levels } if (3..=EMBEDDED).contains(levels));
        // Nothing comes after the last column that would depend on it.
        if self.kind == DataKind::Table && categories && !is_last {
            symbol["embedding"] = json!(self.sizes.embedding);
        }
        symbol
    }

    fn kind(&self, facts: &SymbolFacts) -> SymbolKind {
        let SymbolFacts {
            levels,
            frequent,
            share,
            ..
        } = *facts;
        let components = self.sizes.components;
        let logits = if self.kind == DataKind::Table {
            TABLE_LOGITS
        } else {
            LOGITS
        };
        match () {
            () if levels <= logits => SymbolKind::Categorical { levels },
            () if share >= FREQUENT => SymbolKind::Hurdle {
                levels,
                components,
                frequent,
            },
            () => SymbolKind::Logistics { levels, components },
        }
    }

    fn window(&self) -> Window {
        let Sizes {
            above,
            side,
            channels,
            ..
        } = self.sizes;
        Window {
            channels,
            above,
            side,
        }
    }

    fn schedule(&self, positions: usize) -> Value {
        let (epochs, most) = match self.kind {
            DataKind::Pixels => (20, 32),
            DataKind::Signal => (60, 32),
            DataKind::Table => (60, 128),
        };
        let mut init = match (self.latents, self.kind) {
            (true, _) => json!({"decode.1.weight": 0.1}),
            (false, DataKind::Pixels) => json!({"row.value": 0.0, "column.value": 0.0}),
            (false, _) => json!({"place.value": 0.0}),
        };
        match nearest(self.window()).count() {
            0 => {}
            count => {
                init["near.minus.scale"] = json!(-1.0 / count as f64);
                init["near.gain.scale"] = json!(GAIN);
            }
        }
        // Large data make the same work in smaller steps.
        let batch = (STEP / positions).clamp(4, most);
        json!({
            "epochs": epochs,
            "min_steps": 3000,
            "batch": batch,
            "learning_rate": 4e-3,
            "kl_warmup_epochs": 2,
            "weight_decay": 0.01,
            "init": init,
        })
    }
}

/// Which neighbours are next to a position.
fn nearest(window: Window) -> impl Iterator<Item = usize> {
    let places = window.neighbours().enumerate();
    places
        .filter(|(_, place)| [(0, -1), (-1, 0)].contains(place))
        .map(|(i, _)| i)
}

/// How far neighbours are from the mean of the nearest ones, squashed, so that small differences tell and large ones do
/// not drown them; then what the decoder has of the position, and the negative of that mean.
fn relative(window: Window, symbols: usize) -> (Vec<Value>, &'static str) {
    let mut places = nearest(window).map(|i| window.channels + i * symbols);
    let Some(first) = places.next() else {
        return (Vec::new(), "known");
    };
    let end = window.channels + window.count() * symbols;
    let slice = |id: &str, start: usize, end: usize| json!({"id": id, "op": "slice", "start": start, "end": end, "inputs": ["known"]});
    let mut nodes = vec![
        slice("near.own", 0, window.channels),
        slice("near.seen", window.channels, end),
        slice("near.0", first, first + symbols),
    ];
    let mut sum = "near.0";
    if let Some(second) = places.next() {
        nodes.push(slice("near.1", second, second + symbols));
        nodes.push(json!({"id": "near.sum", "op": "add", "inputs": ["near.0", "near.1"]}));
        sum = "near.sum";
    }
    nodes.extend([
        json!({"id": "near.minus", "op": "scale_shift", "inputs": [sum]}),
        json!({"id": "near.all", "op": "concat", "inputs": vec!["near.minus"; window.count()]}),
        json!({"id": "near.more", "op": "add", "inputs": ["near.seen", "near.all"]}),
        json!({"id": "near.gain", "op": "scale_shift", "inputs": ["near.more"]}),
        json!({"id": "near.squashed", "op": "tanh", "inputs": ["near.gain"]}),
        json!({"id": "near", "op": "concat", "inputs": ["near.squashed", "near.own", "near.minus"]}),
    ]);
    (nodes, "near")
}

/// A function of nodes one after another.
fn chain(input: &str, output: &str, nodes: &[(&str, Value)]) -> Value {
    let mut before = input;
    let mut all = Vec::new();
    for (id, op) in nodes {
        let mut node = op.clone();
        node["id"] = json!(id);
        node["inputs"] = json!([before]);
        all.push(node);
        before = id;
    }
    json!({"inputs": [input], "nodes": all, "outputs": [output]})
}
