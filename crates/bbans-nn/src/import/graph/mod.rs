//! Models of any layers: as version 6 of the description has them.

mod building;
mod layers;
mod outputs;

use std::collections::{BTreeMap, BTreeSet};

use crate::description::{Description, Graphs, Group, Latent, Networks, Values};
use crate::file::bins::insert_standard_normal;
use crate::file::{ModelFile, Tensor};
use crate::graph::Function;
use crate::import::arch::{Arch, Decoder, GroupArch};
use crate::import::weights::Weights;
use crate::ops::{self, Op, Shape};
use bbans_core::{Error, Result};
use building::Building;

/// Name of the data, and of what follows from the latents so far.
const DATA: &str = "x";
const STATE: &str = "state";

/// The model of `arch` with these weights.
pub(super) fn model(weights: &mut Weights<'_>, arch: &Arch) -> Result<ModelFile> {
    arch.dims()?;
    let mut model = Model::new(weights, arch);
    let groups = if arch.groups.is_empty() {
        vec![model.only_group(arch)?]
    } else {
        model.groups(arch)?
    };
    let (encode, start) = model.before(&groups);
    let decode = model.decode(arch)?;
    let Model {
        mut tensors,
        latents,
        ..
    } = model;
    if let Some(dim) = arch.latent.dim
        && dim != latents
    {
        return Err(Error::model(format!(
            "latent: dim is {dim}, but the layers give {latents} latents; expected as many, or no dim"
        )));
    }
    insert_standard_normal(&mut tensors, arch.latent.bin_precision)?;
    let description = Description {
        version: 6,
        name: arch.name.clone(),
        data_shape: arch.data.shape.clone(),
        values: Values::default(),
        likelihood: arch.likelihood.likelihood()?,
        latent: Latent {
            dim: latents,
            bin_precision: arch.latent.bin_precision,
            bins: Default::default(),
            log_sigma: arch.latent.log_sigma,
        },
        networks: Networks::Graphs(Graphs {
            encode: Some(encode),
            start,
            groups,
            decode,
            head: Vec::new(),
            symbols: Vec::new(),
        }),
        training: None,
    };
    Ok(ModelFile {
        description,
        tensors,
    })
}

/// Names that a function may take, with the values they mean and their shapes.
type Names = BTreeMap<String, (String, Shape)>;

/// A model as it is built.
struct Model<'a, 'b> {
    weights: &'a mut Weights<'b>,
    tensors: BTreeMap<String, Tensor>,
    /// Names of nodes and values.
    taken: BTreeSet<String>,
    encode: Building,
    start: Option<Building>,
    /// What posteriors alone may take.
    features: Names,
    /// What comes from the latents so far.
    values: Names,
    latents: usize,
}

impl<'a, 'b> Model<'a, 'b> {
    fn new(weights: &'a mut Weights<'b>, arch: &Arch) -> Self {
        let mut encode = Building::new("encoder", Names::new());
        encode.inputs.push(DATA.to_owned());
        (encode.shapes).insert(DATA.to_owned(), arch.data.shape.clone());
        Self {
            weights,
            tensors: BTreeMap::new(),
            taken: BTreeSet::from([DATA.to_owned()]),
            encode,
            start: None,
            features: Names::new(),
            values: Names::new(),
            latents: 0,
        }
    }

    /// A name that nothing has yet.
    fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        for i in 2.. {
            if self.taken.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}~{i}");
        }
        unique
    }

    fn add_tensor(&mut self, name: String, shape: Vec<usize>, values: &[f64]) -> Result<()> {
        let rounded = values.iter().map(|&v| v as f32).collect();
        let tensor =
            Tensor::new(shape, rounded).map_err(|e| e.context(format!("tensor {name}")))?;
        self.tensors.insert(name, tensor);
        Ok(())
    }

    /// The encoder's layers; gives the last value.
    fn encode(&mut self, arch: &Arch) -> Result<String> {
        let mut encode = std::mem::take(&mut self.encode);
        let mut current = DATA.to_owned();
        if (arch.data.divide, arch.data.add) != (1.0, 0.0) {
            current = encode.scale(self, &current, 1.0 / arch.data.divide, arch.data.add)?;
        }
        let last = encode.layers(self, &arch.encoder.layers, Some(&current))?;
        for name in encode.named.keys().cloned().collect::<Vec<_>>() {
            let id = encode.named[&name].clone();
            let id = encode.own(self, id)?;
            let shape = encode.shapes[&id].clone();
            if name == STATE
                || name.starts_with("prior.")
                || arch.groups.iter().any(|group| group.name == name)
            {
                return Err(Error::model(format!(
                    "encoder: a value of the name {name}, which the latents have; expected another name"
                )));
            }
            self.features.insert(name, (id, shape));
        }
        let last = encode.own(self, last)?;
        self.encode = encode;
        Ok(last)
    }

    /// The latents of a model of one group, whose posterior are the encoder's outputs.
    fn only_group(&mut self, arch: &Arch) -> Result<Group> {
        let last = self.encode(arch)?;
        let shape = self.encode.shapes[&last].clone();
        if arch.start.is_some() {
            return Err(Error::model(
                "start without groups of latents; expected both or none",
            ));
        }
        let known = Names::from([(last.clone(), (last.clone(), shape))]);
        let mut posterior = Building::new("posterior", known);
        let current = posterior.from(&last)?;
        // The layers were those of the encoder.
        let [mean, log_sigma] = posterior.heads(self, &arch.encoder, &current)?;
        let shape = posterior.shapes[&mean].clone();
        let latents = self.unique("z");
        self.latents = shape.iter().product();
        (self.values).insert("z".to_owned(), (latents.clone(), shape.clone()));
        Ok(Group {
            latents,
            shape,
            prior: None,
            posterior: posterior.function(vec![mean, log_sigma]),
            update: None,
        })
    }

    /// The groups of latents.
    fn groups(&mut self, arch: &Arch) -> Result<Vec<Group>> {
        if !arch.encoder.is_bare() {
            return Err(Error::model(
                "encoder: outputs beside groups of latents; expected layers alone, and posteriors in the groups",
            ));
        }
        self.encode(arch)?;
        if let Some(steps) = &arch.start {
            let mut start = Building::new("start", Names::new());
            let last = start.layers(self, steps, None)?;
            let shape = start.shapes[&last].clone();
            start.outputs = vec![last.clone()];
            self.values.insert(STATE.to_owned(), (last, shape));
            self.start = Some(start);
        }
        arch.groups.iter().map(|group| self.group(group)).collect()
    }

    fn group(&mut self, arch: &GroupArch) -> Result<Group> {
        let mut known = self.values.clone();
        let mut prior = None;
        if let Some(normal) = &arch.prior {
            let mut building = Building::new(&format!("prior.{}", arch.name), known.clone());
            let outputs = building.normal(self, normal)?;
            for (name, id) in ["prior.mean", "prior.log_sigma"].iter().zip(&outputs) {
                building.named.insert((*name).to_owned(), id.clone());
            }
            for (name, id) in &building.named {
                let shape = building.shapes[id].clone();
                known.insert(name.clone(), (id.clone(), shape));
            }
            building.outputs = outputs.into();
            prior = Some(building);
        }
        let mut seen = known.clone();
        seen.extend(self.features.clone());
        let mut posterior = Building::new(&format!("posterior.{}", arch.name), seen);
        let outputs = posterior.normal(self, &arch.posterior)?;
        let shape = posterior.shapes[&outputs[0]].clone();
        let posterior = posterior.function(outputs.into());
        self.add_latents(&arch.name, shape.clone())?;
        let latents = (arch.name.clone(), shape.clone());
        known.insert(arch.name.clone(), latents);
        let mut update = None;
        if let Some(steps) = &arch.update {
            let mut building = Building::new(&format!("update.{}", arch.name), known);
            let last = building.layers(self, steps, None)?;
            let last = building.own(self, last)?;
            let shape = building.shapes[&last].clone();
            self.values.insert(STATE.to_owned(), (last.clone(), shape));
            update = Some(building.function(vec![last]));
        }
        if let Some(prior) = &mut prior {
            let taken = update.iter().chain([&posterior]).flat_map(|f| &f.inputs);
            let taken: BTreeSet<&String> = taken.collect();
            prior.export(&taken);
        }
        Ok(Group {
            latents: arch.name.clone(),
            shape,
            prior: prior.map(|prior| {
                let outputs = prior.outputs.clone();
                prior.function(outputs)
            }),
            posterior,
            update,
        })
    }

    fn add_latents(&mut self, name: &str, shape: Shape) -> Result<()> {
        if name == STATE || !self.taken.insert(name.to_owned()) {
            return Err(Error::model(format!(
                "latents of the name {name}, which something else has; expected another name"
            )));
        }
        self.latents = self.latents.saturating_add(shape.iter().product());
        self.values
            .insert(name.to_owned(), (name.to_owned(), shape));
        Ok(())
    }

    /// From the latents to the parameters of the likelihood as the model file has them.
    fn decode(&mut self, arch: &Arch) -> Result<Function> {
        let mut decode = Building::new("decoder", self.values.clone());
        let first = match (self.values.contains_key(STATE), arch.groups.is_empty()) {
            (true, _) => Some(decode.from(STATE)?),
            (false, true) => Some(decode.from("z")?),
            (false, false) => None,
        };
        let last = match &arch.decoder {
            Decoder::Layers(steps) => {
                let steps = arch.likelihood.without_sigmoid(steps)?;
                decode.layers(self, steps, first.as_deref())?
            }
            Decoder::Heads { heads, .. }
                if heads.is_empty() || heads.len() > 1 && arch.likelihood.dimensions_first() =>
            {
                return Err(Error::model(format!(
                    "decoder: {} heads; expected one head, or heads with \"order\": \"parameters_first\"",
                    heads.len()
                )));
            }
            Decoder::Heads { layers, heads } => {
                let last = decode.layers(self, layers, first.as_deref())?;
                let mut outputs = Vec::new();
                for steps in heads {
                    let steps = arch.likelihood.without_sigmoid(steps)?;
                    let output = decode.layers(self, steps, Some(&last))?;
                    outputs.push(decode.flatten(self, &output)?);
                }
                decode.push(self, "", Op::Concat(ops::Concat {}), outputs)?
            }
        };
        if let Some(first) = first {
            decode.drop_unused_input(&first);
        }
        let last = decode.arrange(self, &last, arch)?;
        Ok(decode.function(vec![last]))
    }

    /// The functions before the latents, now that it is known what the groups take of them.
    fn before(&mut self, groups: &[Group]) -> (Function, Option<Function>) {
        let taken: BTreeSet<&String> = groups.iter().flat_map(|g| &g.posterior.inputs).collect();
        let mut encode = std::mem::take(&mut self.encode);
        encode.export(&taken);
        let outputs = encode.outputs.clone();
        let start = self.start.take().map(|start| {
            let outputs = start.outputs.clone();
            start.function(outputs)
        });
        (encode.function(outputs), start)
    }
}
