//! Where parameters come from: a generator, or a file.

use std::collections::{BTreeMap, BTreeSet};

use bbans_nn::graph::Function;
use bbans_nn::ops::{Op, Shape};
use bbans_nn::{ModelFile, Tensor as ModelTensor};
use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Init, VarBuilder, VarMap};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::units::Layer;
use crate::error::{Error, Result};
use crate::graph::Site;
use crate::noise::fill_normal;
use crate::objective::Unit;
use crate::ops;

/// Initial values of parameters.
pub(crate) struct Source<'a> {
    /// Those of the same name and shape are taken from it.
    file: Option<&'a ModelFile>,
    /// The others are drawn, and multiplied by the factor that their name has.
    random: Option<(ChaCha8Rng, &'a BTreeMap<String, f64>)>,
    fold: Fold,
    /// How many were the file's.
    taken: usize,
}

/// What parameters of training are in a file: units of training become part of the layers that they are next to.
#[derive(Default)]
pub(crate) struct Fold {
    /// Tensors that data are multiplied with first, of data that are parts of the greatest symbol.
    scaled: Vec<String>,
    scale: f32,
    /// Layers that parameters of the likelihood come from.
    layers: Vec<Layer>,
}

impl Fold {
    /// A parameter's values as a file has them.
    pub(crate) fn folded(&self, name: &str, values: &mut [f32]) {
        self.each_unit(name, values, |v, unit| *v = *v * unit.gain + unit.offset);
        if self.scaled.iter().any(|scaled| scaled == name) {
            values.iter_mut().for_each(|v| *v *= self.scale);
        }
    }

    /// The way back.
    pub(crate) fn unfolded(&self, name: &str, values: &mut [f32]) {
        self.each_unit(name, values, |v, unit| *v = (*v - unit.offset) / unit.gain);
        if self.scaled.iter().any(|scaled| scaled == name) {
            values.iter_mut().for_each(|v| *v /= self.scale);
        }
    }

    /// Calls `f` with the values of a layer whose outputs have units: of weights gains alone count. The last axis is that
    /// of the outputs.
    fn each_unit(&self, name: &str, values: &mut [f32], f: impl Fn(&mut f32, Unit)) {
        let Some((id, part)) = name.rsplit_once('.') else {
            return;
        };
        let Some(layer) = self.layers.iter().find(|layer| layer.id == id) else {
            return;
        };
        for (v, unit) in values.iter_mut().zip(layer.units.iter().cycle()) {
            let offset = if part == "bias" { unit.offset } else { 0.0 };
            f(v, Unit { offset, ..*unit });
        }
    }
}

static NO_TENSORS: BTreeMap<String, ModelTensor> = BTreeMap::new();

impl<'a> Source<'a> {
    /// All of them are the file's.
    pub(crate) fn file(file: &'a ModelFile) -> Self {
        Self {
            file: Some(file),
            random: None,
            fold: Fold::default(),
            taken: 0,
        }
    }

    /// The file's, if there is one, and draws for those that it does not have.
    pub(crate) fn random(
        file: Option<&'a ModelFile>,
        rng: ChaCha8Rng,
        factors: &'a BTreeMap<String, f64>,
    ) -> Self {
        Self {
            file,
            random: Some((rng, factors)),
            fold: Fold::default(),
            taken: 0,
        }
    }

    /// The tensors of the file.
    pub(crate) fn tensors(&self) -> &'a BTreeMap<String, ModelTensor> {
        self.file.map_or(&NO_TENSORS, |file| &file.tensors)
    }

    /// Data are multiplied by `scale` before these tensors.
    pub(super) fn scale_data(&mut self, scaled: Vec<String>, scale: f32) {
        (self.fold.scaled, self.fold.scale) = (scaled, scale);
    }

    fn values(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>> {
        let found = self.tensors().get(name);
        if let Some(tensor) = found.filter(|tensor| tensor.shape == shape) {
            let mut values = tensor.values.clone();
            self.fold.unfolded(name, &mut values);
            self.taken += 1;
            return Ok(values);
        }
        let Some((rng, factors)) = &mut self.random else {
            let found = found.map(|tensor| &tensor.shape);
            return Err(Error::new(match found {
                Some(found) => format!("the tensor {name} has shape {found:?}; expected {shape:?}"),
                None => format!("the model has no tensor {name}; expected one of shape {shape:?}"),
            }));
        };
        let mut values = vec![0.0; shape.iter().product()];
        draw(init, rng, &mut values)?;
        if let Some(factor) = factors.get(name) {
            values.iter_mut().for_each(|v| *v *= *factor as f32);
        }
        Ok(values)
    }
}

/// candle-nn draws from a generator of its own, which has no seed on a CPU.
fn draw(init: Init, rng: &mut ChaCha8Rng, out: &mut [f32]) -> Result<()> {
    match init {
        Init::Const(value) => out.fill(value as f32),
        Init::Uniform { lo, up } => {
            for v in out {
                let part = f64::from(rng.next_u32()) / 4_294_967_296.0;
                *v = (lo + part * (up - lo)) as f32;
            }
        }
        Init::Randn { mean, stdev } => {
            fill_normal(rng, out);
            out.iter_mut()
                .for_each(|v| *v = (mean + stdev * f64::from(*v)) as f32);
        }
        Init::Kaiming { .. } => return Err(Error::new("initial values that no operation has")),
    }
    Ok(())
}

/// Most weights: with moments, averages and derivatives a run holds some eight numbers for each.
const MAX_WEIGHTS: usize = 1 << 28;

/// The parameters of a network, as its functions ask for them.
pub(super) struct Parameters<'a> {
    source: Source<'a>,
    weights: usize,
    /// Numbers that a lane has in all values.
    pub numbers: usize,
    pub vars: VarMap,
    names: Vec<String>,
    device: Device,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(source: Source<'a>, device: Device) -> Self {
        Self {
            source,
            weights: 0,
            numbers: 0,
            vars: VarMap::new(),
            names: Vec::new(),
            device,
        }
    }

    /// A function ends in layers whose outputs have units.
    pub(super) fn end_in(&mut self, layers: Vec<Layer>) {
        self.source.fold.layers.extend(layers);
    }

    /// Those of a node.
    pub(super) fn draw(&mut self, site: &Site<'_>) -> Result<()> {
        let numbers =
            |shape: &[usize]| shape.iter().fold(1usize, |n, &size| n.saturating_mul(size));
        let of_site = site.tensors.iter().map(|(_, shape)| numbers(shape));
        self.weights = of_site.fold(self.weights, usize::saturating_add);
        self.numbers = self.numbers.saturating_add(numbers(site.output));
        // Before anything is made of them.
        if self.weights > MAX_WEIGHTS {
            let name = site.tensors.first().map_or("", |(name, _)| name.as_str());
            return Err(Error::new(format!(
                "with {name} the network has {} weights; training takes at most {MAX_WEIGHTS}",
                self.weights
            )));
        }
        let inits = ops::init(site.op, &site.inputs);
        for ((name, shape), init) in site.tensors.iter().zip(inits) {
            let values = self.source.values(name, shape, init)?;
            self.add(name, shape, values)?;
        }
        Ok(())
    }

    /// What stands for the levels of a symbol at first: noise.
    pub(super) fn draw_table(&mut self, name: &str, levels: usize, width: usize) -> Result<()> {
        let noise = Init::Randn {
            mean: 0.0,
            stdev: 0.5,
        };
        let values = self.source.values(name, &[levels, width], noise)?;
        self.add(name, &[levels, width], values)
    }

    /// What stands for the levels of a pixel at first: the level, whether it is 0, whether it is nearly the greatest, and
    /// noise.
    pub(super) fn draw_embedding(&mut self, name: &str, levels: usize, depth: usize) -> Result<()> {
        let bound = (6.0 / (levels + depth) as f64).sqrt();
        let noise = Init::Uniform {
            lo: -bound,
            up: bound,
        };
        let found = self.source.tensors().get(name);
        let from_file = found.is_some_and(|tensor| tensor.shape == [levels, depth]);
        let mut values = self.source.values(name, &[levels, depth], noise)?;
        for (i, value) in values.iter_mut().enumerate().filter(|_| !from_file) {
            let level = i / depth;
            *value += match i % depth {
                0 => level as f32 / (levels - 1) as f32,
                1 => f32::from(u8::from(level == 0)),
                2 => f32::from(u8::from(level + 4 >= levels)),
                _ => 0.0,
            };
        }
        self.add(name, &[levels, depth], values)
    }

    fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>) -> Result<()> {
        let var = Var::from_tensor(&Tensor::from_vec(values, shape, &self.device)?)?;
        if lock(&self.vars).insert(name.to_owned(), var).is_some() {
            let id = name.rsplit_once('.').map_or(name, |(id, _)| id);
            return Err(Error::new(format!(
                "two nodes of the model have the name {id}; expected one for each name"
            )));
        }
        self.names.push(name.to_owned());
        Ok(())
    }

    /// For what takes them by their names.
    pub(super) fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_varmap(&self.vars, DType::F32, &self.device)
    }

    /// Checks that every factor is that of a parameter.
    pub(super) fn done(self) -> Result<Done> {
        let names: BTreeSet<&String> = self.names.iter().collect();
        let factors = self.source.random.as_ref().map(|(_, factors)| *factors);
        let mut unknown = factors
            .into_iter()
            .flatten()
            .filter(|(name, _)| !names.contains(name));
        match unknown.next() {
            None => Ok(Done {
                vars: self.vars,
                names: self.names,
                fold: self.source.fold,
                numbers: self.numbers,
                taken: self.source.file.map(|_| self.source.taken),
            }),
            Some((name, _)) => Err(Error::new(format!(
                "training.init names {name}, which is no tensor of the model; expected one such as {}",
                self.names.first().map_or("", String::as_str)
            ))),
        }
    }
}

/// All parameters.
pub(super) struct Done {
    pub vars: VarMap,
    /// In the order of the functions.
    pub names: Vec<String>,
    /// What they are in a file.
    pub fold: Fold,
    /// Numbers that a lane has in all values.
    pub numbers: usize,
    /// How many tensors are a file's, if there is one.
    pub taken: Option<usize>,
}

/// The parameters by their names. A lock that a panic has left is taken all the same: no value is half written.
pub(crate) fn lock(
    vars: &VarMap,
) -> std::sync::MutexGuard<'_, std::collections::HashMap<String, Var>> {
    vars.data()
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The tensors that data are multiplied with first, which a scale of the data can be made part of: none if anything
/// else takes data.
pub(super) fn scaled_tensors(encode: &Function) -> Option<Vec<String>> {
    let mut data: BTreeSet<&str> = encode.inputs.iter().map(String::as_str).collect();
    let mut scaled = Vec::new();
    for node in &encode.nodes {
        let taken = node
            .inputs
            .iter()
            .filter(|name| data.contains(name.as_str()))
            .count();
        if taken == 0 {
            continue;
        }
        match &node.op {
            Op::Dense(_) | Op::Cells(_) | Op::Conv2d(_) | Op::ConvTranspose2d(_) => {
                scaled.push(format!("{}.weight", node.id));
            }
            Op::ScaleShift(_) => scaled.push(format!("{}.scale", node.id)),
            Op::Reshape(_)
            | Op::Permute(_)
            | Op::Slice(_)
            | Op::Concat(_)
            | Op::Add(_)
            | Op::Upsample(_)
            | Op::PixelShuffle(_)
            | Op::PixelUnshuffle(_)
            | Op::Tiles(_)
            | Op::MaxPool(_)
            | Op::AveragePool(_)
            | Op::GlobalMean(_)
                if taken == node.inputs.len() =>
            {
                data.insert(&node.id);
            }
            _ => return None,
        }
    }
    let whole = !encode
        .outputs
        .iter()
        .any(|name| data.contains(name.as_str()));
    whole.then_some(scaled)
}

/// Shape of a value that a stage of a head gives, in a row.
pub(super) fn width(shapes: &[Shape]) -> usize {
    shapes.first().map_or(0, |shape| shape.iter().product())
}
