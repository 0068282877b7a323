//! Layers of ARCH.json.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::description::Layer;
use crate::ops::{self, Op};

/// One entry of a list of layers.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ArchLayer {
    Linear(LinearLayer),
    BatchNorm(BatchNorm),
    Activation(Layer),
    /// Nothing, in evaluation.
    Identity,
    /// One axis.
    Flatten,
    /// What only a graph has.
    Graph(GraphLayer),
}

/// A layer beyond a chain of linear ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum GraphLayer {
    Convolution(Convolution),
    /// Of so many groups.
    GroupNorm(Norm, usize),
    LayerNorm(Norm),
    LinearRows(LinearLayer),
    /// An operation without tensors.
    Op(Op),
    Slice {
        range: [usize; 2],
        axis: usize,
    },
    /// `x * scale + shift`.
    Scale {
        scale: f32,
        shift: f32,
    },
    /// `shortcut(x) + layers(x)`.
    Residual {
        layers: Vec<ArchLayer>,
        shortcut: Vec<ArchLayer>,
    },
    /// Several lists of layers on the same value, brought together.
    Branches(Op, Vec<Vec<ArchLayer>>),
    From(String),
    As(String),
    Constant(String),
}

/// The tensors `{name}.weight` and `{name}.bias`, if it is affine.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Norm {
    pub(super) name: String,
    pub(super) eps: f32,
    pub(super) affine: bool,
}

/// The tensors `{linear}.weight`, `[outputs, inputs]`, and `{linear}.bias`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearLayer {
    #[serde(alias = "linear_rows")]
    pub(super) linear: String,
    #[serde(default = "yes")]
    pub(super) bias: bool,
    /// The weight is `[inputs, outputs]`.
    #[serde(default)]
    pub(super) transposed: bool,
}

/// The tensors `{batch_norm}.running_mean`, `.running_var`, `.weight` and `.bias`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchNorm {
    pub(super) batch_norm: String,
    #[serde(default = "epsilon")]
    pub(super) eps: f64,
    #[serde(default = "yes")]
    pub(super) affine: bool,
}

/// The tensors `{name}.weight`, `[outputs, inputs / groups, rows, columns]` or, transposed,
/// `[inputs, outputs / groups, rows, columns]`, and `{name}.bias`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Convolution {
    pub(super) name: String,
    pub(super) transposed: bool,
    pub(super) options: ConvolutionOptions,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvolutionOptions {
    #[serde(default = "ones")]
    stride: Pair,
    #[serde(default = "zeros")]
    padding: Padding,
    #[serde(default = "ones")]
    dilation: Pair,
    #[serde(default = "one")]
    pub(super) groups: usize,
    #[serde(default = "yes")]
    pub(super) bias: bool,
    /// Of a transposed one.
    #[serde(default)]
    output_padding: Option<Pair>,
}

/// Rows and columns, or one number for both.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected a number or [rows, columns]")]
enum Pair {
    Both(usize),
    Each([usize; 2]),
}

/// One number for all sides; for rows and columns; or for above, below, left and right.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number, [rows, columns] or [above, below, left, right]"
)]
enum Padding {
    All(usize),
    Each([usize; 2]),
    Sides([usize; 4]),
}

impl Pair {
    fn get(self) -> [usize; 2] {
        match self {
            Self::Both(n) => [n; 2],
            Self::Each(each) => each,
        }
    }
}

impl Padding {
    fn get(self) -> [usize; 4] {
        match self {
            Self::All(n) => [n; 4],
            Self::Each([rows, columns]) => [rows, rows, columns, columns],
            Self::Sides(sides) => sides,
        }
    }
}

impl Convolution {
    /// The operation, of a kernel of this size.
    pub(super) fn op(&self, channels: usize, kernel: [usize; 2]) -> Op {
        let ConvolutionOptions {
            stride,
            padding,
            dilation,
            groups,
            output_padding,
            ..
        } = self.options;
        let (stride, padding, dilation) = (stride.get(), padding.get(), dilation.get());
        if self.transposed {
            return Op::ConvTranspose2d(ops::ConvTranspose2d {
                channels,
                kernel,
                stride,
                padding,
                output_padding: output_padding.map_or([0; 2], Pair::get),
                dilation,
                groups,
            });
        }
        Op::Conv2d(ops::Conv2d {
            channels,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        })
    }
}

/// Whether a graph is needed for these layers.
pub(super) fn need_graph(steps: &[ArchLayer]) -> bool {
    steps.iter().any(|step| matches!(step, ArchLayer::Graph(_)))
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

fn ones() -> Pair {
    Pair::Both(1)
}

fn zeros() -> Padding {
    Padding::All(0)
}

fn epsilon() -> f64 {
    1e-5
}

type De<T, E> = std::result::Result<T, E>;

/// A list of layers.
pub(super) fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> De<Vec<ArchLayer>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    list(values).map_err(serde::de::Error::custom)
}

/// A list of layers that may be missing.
pub(super) fn some_steps<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> De<Option<Vec<ArchLayer>>, D::Error> {
    steps(deserializer).map(Some)
}

pub(super) fn list(values: Vec<Value>) -> De<Vec<ArchLayer>, String> {
    values.into_iter().map(step).collect()
}

/// Several lists.
fn lists(value: Value) -> De<Vec<Vec<ArchLayer>>, String> {
    let values: Vec<Vec<Value>> = serde_json::from_value(value)
        .map_err(|e| format!("expected a list of lists of layers: {e}"))?;
    values.into_iter().map(list).collect()
}

/// A layer: the name of one without weights, or an object with those of its tensors.
pub(super) fn step(value: Value) -> De<ArchLayer, String> {
    let unknown = |value: &Value| {
        let names: Vec<String> = NAMES
            .iter()
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        let kinds: Vec<&str> = OBJECTS.iter().map(|(kind, _)| *kind).collect();
        format!(
            "unknown layer {value}; expected one of {}, or {{KIND: ..}} of the kinds {}",
            names.join(", "),
            kinds.join(", ")
        )
    };
    match value {
        Value::String(found) => match NAMES.iter().find(|(name, _)| *name == found) {
            Some((_, layer)) => Ok(layer.clone()),
            None => Err(unknown(&found.into())),
        },
        Value::Object(fields) => {
            let mut kinds = OBJECTS.iter();
            match kinds.find(|(kind, _)| fields.contains_key(*kind)) {
                Some((kind, parse)) => parse(fields).map_err(|e| format!("{kind}: {e}")),
                None => Err(unknown(&fields.into())),
            }
        }
        other => Err(unknown(&other)),
    }
}

/// Layers that have only a name.
const NAMES: &[(&str, ArchLayer)] = &[
    ("relu", ArchLayer::Activation(Layer::Relu)),
    ("silu", ArchLayer::Activation(Layer::Silu)),
    ("tanh", ArchLayer::Activation(Layer::Tanh)),
    ("sigmoid", ArchLayer::Activation(Layer::Sigmoid)),
    ("exp", ArchLayer::Activation(Layer::Exp)),
    ("elu", ArchLayer::Activation(Layer::Elu)),
    ("softplus", ArchLayer::Activation(Layer::Softplus)),
    ("gelu", op(Op::Gelu(ops::Gelu { tanh: false }))),
    ("gelu_tanh", op(Op::Gelu(ops::Gelu { tanh: true }))),
    ("mish", op(Op::Mish(ops::Mish {}))),
    ("softmax", op(Op::Softmax(ops::Softmax {}))),
    ("global_mean", op(Op::GlobalMean(ops::GlobalMean {}))),
    ("flatten", ArchLayer::Flatten),
    ("dropout", ArchLayer::Identity),
];

const fn op(op: Op) -> ArchLayer {
    ArchLayer::Graph(GraphLayer::Op(op))
}

type Fields = Map<String, Value>;

/// From an object's fields to a layer.
type Parse = fn(Fields) -> De<ArchLayer, String>;

/// Layers that are objects, by the field that names them.
const OBJECTS: &[(&str, Parse)] = &[
    ("linear", |fields| all(fields).map(ArchLayer::Linear)),
    ("linear_rows", |fields| {
        all(fields).map(|layer| ArchLayer::Graph(GraphLayer::LinearRows(layer)))
    }),
    ("batch_norm", |fields| all(fields).map(ArchLayer::BatchNorm)),
    ("conv2d", |fields| convolution(fields, "conv2d", false)),
    ("conv_transpose2d", |fields| {
        convolution(fields, "conv_transpose2d", true)
    }),
    ("group_norm", |mut fields| {
        let groups = take(&mut fields, "groups")?;
        let norm = norm(&mut fields, "group_norm")?;
        done(fields, GraphLayer::GroupNorm(norm, groups))
    }),
    ("layer_norm", |mut fields| {
        let norm = norm(&mut fields, "layer_norm")?;
        done(fields, GraphLayer::LayerNorm(norm))
    }),
    ("leaky_relu", |mut fields| {
        let slope = take(&mut fields, "leaky_relu")?;
        done_op(fields, Op::LeakyRelu(ops::LeakyRelu { slope }))
    }),
    ("clamp", |mut fields| {
        let [min, max] = take(&mut fields, "clamp")?;
        done_op(fields, Op::Clamp(ops::Clamp { min, max }))
    }),
    ("scale", scale),
    ("shift", scale),
    ("reshape", |mut fields| {
        let shape = take(&mut fields, "reshape")?;
        done_op(fields, Op::Reshape(ops::Reshape { shape }))
    }),
    ("permute", |mut fields| {
        let axes = take(&mut fields, "permute")?;
        done_op(fields, Op::Permute(ops::Permute { axes }))
    }),
    ("slice", |mut fields| {
        let (range, axis) = (
            take(&mut fields, "slice")?,
            take_or(&mut fields, "axis", 0)?,
        );
        done(fields, GraphLayer::Slice { range, axis })
    }),
    ("upsample", |mut fields| {
        let factor = take::<Pair>(&mut fields, "upsample")?.get();
        done_op(fields, Op::Upsample(ops::Upsample { factor }))
    }),
    ("pixel_shuffle", |mut fields| {
        let factor = take(&mut fields, "pixel_shuffle")?;
        done_op(fields, Op::PixelShuffle(ops::PixelShuffle { factor }))
    }),
    ("pixel_unshuffle", |mut fields| {
        let factor = take(&mut fields, "pixel_unshuffle")?;
        done_op(fields, Op::PixelUnshuffle(ops::PixelUnshuffle { factor }))
    }),
    ("max_pool", |mut fields| {
        let (kernel, stride, padding) = pool(&mut fields, "max_pool")?;
        let pool = ops::MaxPool {
            kernel,
            stride,
            padding,
        };
        done_op(fields, Op::MaxPool(pool))
    }),
    ("average_pool", |mut fields| {
        let (kernel, stride, padding) = pool(&mut fields, "average_pool")?;
        let pool = ops::AveragePool {
            kernel,
            stride,
            padding,
        };
        done_op(fields, Op::AveragePool(pool))
    }),
    ("residual", |mut fields| {
        let layers = list(take(&mut fields, "residual")?)?;
        let shortcut = list(take_or(&mut fields, "shortcut", Vec::new())?)?;
        done(fields, GraphLayer::Residual { layers, shortcut })
    }),
    ("concat", |fields| {
        branches(fields, "concat", Op::Concat(ops::Concat {}))
    }),
    ("add", |fields| {
        branches(fields, "add", Op::Add(ops::Add {}))
    }),
    ("mul", |fields| {
        branches(fields, "mul", Op::Mul(ops::Mul {}))
    }),
    ("matmul", |fields| {
        branches(fields, "matmul", Op::Matmul(ops::Matmul {}))
    }),
    ("from", |mut fields| {
        let name = take(&mut fields, "from")?;
        done(fields, GraphLayer::From(name))
    }),
    ("as", |mut fields| {
        let name = take(&mut fields, "as")?;
        done(fields, GraphLayer::As(name))
    }),
    ("constant", |mut fields| {
        let name = take(&mut fields, "constant")?;
        done(fields, GraphLayer::Constant(name))
    }),
];

fn all<T: DeserializeOwned>(fields: Fields) -> De<T, String> {
    serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string())
}

fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> De<T, String> {
    let value = fields
        .remove(name)
        .ok_or_else(|| format!("it has no field {name}"))?;
    serde_json::from_value(value).map_err(|e| format!("field {name}: {e}"))
}

fn take_or<T: DeserializeOwned>(fields: &mut Fields, name: &str, default: T) -> De<T, String> {
    if fields.contains_key(name) {
        return take(fields, name);
    }
    Ok(default)
}

/// A layer all of whose fields were taken.
fn done(fields: Fields, step: GraphLayer) -> De<ArchLayer, String> {
    match fields.keys().next() {
        None => Ok(ArchLayer::Graph(step)),
        Some(name) => Err(format!("unknown field {name}")),
    }
}

fn done_op(fields: Fields, op: Op) -> De<ArchLayer, String> {
    done(fields, GraphLayer::Op(op))
}

fn convolution(mut fields: Fields, kind: &str, transposed: bool) -> De<ArchLayer, String> {
    let name = take(&mut fields, kind)?;
    let options: ConvolutionOptions = all(fields)?;
    if !transposed && options.output_padding.is_some() {
        return Err("unknown field output_padding".to_owned());
    }
    Ok(ArchLayer::Graph(GraphLayer::Convolution(Convolution {
        name,
        transposed,
        options,
    })))
}

fn norm(fields: &mut Fields, kind: &str) -> De<Norm, String> {
    Ok(Norm {
        name: take(fields, kind)?,
        eps: take_or(fields, "eps", 1e-5)?,
        affine: take_or(fields, "affine", true)?,
    })
}

fn scale(mut fields: Fields) -> De<ArchLayer, String> {
    let (scale, shift) = (
        take_or(&mut fields, "scale", 1.0)?,
        take_or(&mut fields, "shift", 0.0)?,
    );
    done(fields, GraphLayer::Scale { scale, shift })
}

/// Kernel, stride and padding of a pool.
type Pool = ([usize; 2], [usize; 2], [usize; 4]);

/// Kernel, stride, by default as wide, and padding.
fn pool(fields: &mut Fields, kind: &str) -> De<Pool, String> {
    let kernel: Pair = take(fields, kind)?;
    let stride = take_or(fields, "stride", kernel)?;
    let padding = take_or(fields, "padding", zeros())?;
    Ok((kernel.get(), stride.get(), padding.get()))
}

fn branches(mut fields: Fields, kind: &str, op: Op) -> De<ArchLayer, String> {
    let lists = lists(take(&mut fields, kind)?)?;
    done(fields, GraphLayer::Branches(op, lists))
}
