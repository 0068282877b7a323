//! The functions of a model, bound to its tensors, and the values that they give.

use std::collections::{BTreeMap, BTreeSet};

use crate::description::Graphs;
use crate::exact::simd::Path;
use crate::file::Tensor;
use crate::graph::{Cost, Function, Graph, Hidden, Inputs, check_room};
use crate::ops::Shape;
use bbans_core::{Error, Result};

/// A function whose inputs are values of the model.
#[derive(Debug, Clone)]
pub(super) struct Wired {
    pub graph: Graph,
    /// Numbers of the values that it takes.
    inputs: Vec<usize>,
    /// Number of the first value that it gives.
    first: usize,
}

/// A group of latents with its functions.
#[derive(Debug, Clone)]
pub(super) struct Latents {
    /// How many there are.
    pub count: usize,
    /// Number of their value.
    pub value: usize,
    pub prior: Option<Wired>,
    pub posterior: Wired,
    pub update: Option<Wired>,
}

/// All functions but the head's.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub encode: Option<Graph>,
    pub start: Option<Wired>,
    pub groups: Vec<Latents>,
    pub decode: Wired,
    /// Number of values.
    pub values: usize,
    /// Numbers of a lane in all values.
    pub size: usize,
}

impl Bound {
    /// The functions of `graphs` for data of `shape`, of `outputs` parameters; names of the tensors that they take
    /// are added to `used`.
    pub(super) fn new(
        graphs: &Graphs,
        shape: &[usize],
        outputs: usize,
        tensors: &BTreeMap<String, Tensor>,
        used: &mut BTreeSet<String>,
    ) -> Result<Self> {
        let mut binder = Binder {
            tensors,
            used,
            names: BTreeMap::new(),
            shapes: Vec::new(),
            cost: Cost::default(),
        };
        let encode = match &graphs.encode {
            None => None,
            Some(function) => {
                let encode = binder.bind("encode", function, &[shape.to_vec()])?;
                binder.add(&function.outputs, &encode);
                Some(encode)
            }
        };
        let start = graphs.start.as_ref();
        let start = start.map(|f| binder.wire("start", f, true)).transpose()?;
        let mut groups = Vec::with_capacity(graphs.groups.len());
        for group in &graphs.groups {
            let of = |what: &str| format!("the {what} of {}", group.latents);
            let count = group.shape.iter().product();
            let prior = group.prior.as_ref();
            let prior = prior
                .map(|f| binder.wire(&of("prior"), f, true))
                .transpose()?;
            if let Some(prior) = &prior {
                expect_normal(&of("prior"), &prior.graph, count, false)?;
            }
            let posterior = binder.wire(&of("posterior"), &group.posterior, false)?;
            expect_normal(&of("posterior"), &posterior.graph, count, true)?;
            let value = binder.value(&group.latents, group.shape.clone());
            let update = group.update.as_ref();
            groups.push(Latents {
                count,
                value,
                prior,
                posterior,
                update: update
                    .map(|f| binder.wire(&of("update"), f, true))
                    .transpose()?,
            });
        }
        let decode = binder.wire("decode", &graphs.decode, false)?;
        let found: Vec<&[usize]> = decode.graph.outputs().collect();
        if found.len() != 1 || found[0].iter().product::<usize>() != outputs {
            return Err(Error::model(format!(
                "decode gives values of shapes {found:?}; expected one of {outputs} numbers"
            )));
        }
        let sizes = binder.shapes.iter().map(|shape| shape.iter().product());
        let size = sizes.fold(0, usize::saturating_add);
        let values = binder.shapes.len();
        Ok(Self {
            encode,
            start,
            groups,
            decode,
            values,
            size,
        })
    }
}

/// Checks that a function gives a mean and a log standard deviation of each latent.
fn expect_normal(who: &str, graph: &Graph, count: usize, alone: bool) -> Result<()> {
    let sizes: Vec<usize> = graph
        .outputs()
        .map(|shape| shape.iter().product())
        .collect();
    let fits = match sizes.as_slice() {
        [mean, log_sigma, others @ ..] => {
            [*mean, *log_sigma] == [count; 2] && (others.is_empty() || !alone)
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let shapes: Vec<&[usize]> = graph.outputs().collect();
    Err(Error::model(format!(
        "{who} gives values of shapes {shapes:?}; expected means and log standard deviations of {count} \
         latents"
    )))
}

/// Bound as they are bound, one after another.
struct Binder<'a> {
    tensors: &'a BTreeMap<String, Tensor>,
    used: &'a mut BTreeSet<String>,
    /// Numbers of the values.
    names: BTreeMap<String, usize>,
    shapes: Vec<Shape>,
    cost: Cost,
}

impl Binder<'_> {
    fn bind(&mut self, who: &str, function: &Function, inputs: &[Shape]) -> Result<Graph> {
        let in_function = |e: Error| e.context(who.to_owned());
        let graph = (function.bind(inputs, self.tensors, self.used)).map_err(in_function)?;
        self.cost = self.cost.add(graph.cost()).map_err(in_function)?;
        Ok(graph)
    }

    /// A function of values; with `named` its outputs become values.
    fn wire(&mut self, who: &str, function: &Function, named: bool) -> Result<Wired> {
        let number = |name: &String| {
            self.names.get(name).copied().ok_or_else(|| {
                Error::model(format!(
                    "{who} takes {name}, which is no value of the model"
                ))
            })
        };
        let inputs = function.inputs.iter().map(number);
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        let shapes: Vec<Shape> = inputs.iter().map(|&i| self.shapes[i].clone()).collect();
        let graph = self.bind(who, function, &shapes)?;
        let first = self.shapes.len();
        if named {
            self.add(&function.outputs, &graph);
        }
        Ok(Wired {
            graph,
            inputs,
            first,
        })
    }

    fn add(&mut self, names: &[String], graph: &Graph) {
        for (name, shape) in names.iter().zip(graph.outputs()) {
            self.value(name, shape.to_vec());
        }
    }

    fn value(&mut self, name: &str, shape: Shape) -> usize {
        self.names.insert(name.to_owned(), self.shapes.len());
        self.shapes.push(shape);
        self.shapes.len() - 1
    }
}

impl Wired {
    /// Number of the first value that it gives.
    pub(super) fn first(&self) -> usize {
        self.first
    }
}

/// The values that are known so far, each `[features, lanes]`.
#[derive(Debug, Clone)]
pub(super) struct Values {
    known: Vec<Vec<f32>>,
    pub lanes: usize,
}

impl Values {
    /// None of them is known.
    pub(super) fn new(functions: &Bound, lanes: usize) -> Result<Self> {
        check_room(functions.size, lanes)?;
        Ok(Self {
            known: vec![Vec::new(); functions.values],
            lanes,
        })
    }

    pub(super) fn set(&mut self, value: usize, numbers: Vec<f32>) {
        self.known[value] = numbers;
    }

    pub(super) fn get(&self, value: usize) -> &[f32] {
        &self.known[value]
    }

    fn inputs(&self, function: &Wired) -> Vec<&[f32]> {
        let inputs = function.inputs.iter();
        inputs.map(|&value| &self.known[value][..]).collect()
    }

    /// What a function gives.
    pub(super) fn run(&self, path: Path, function: &Wired) -> Result<Vec<Vec<f32>>> {
        let inputs = self.inputs(function);
        (function.graph).run(path, Inputs::Values(&inputs), self.lanes)
    }

    /// Makes known what a function gives.
    pub(super) fn make(&mut self, path: Path, function: &Wired) -> Result<()> {
        for (i, numbers) in self.run(path, function)?.into_iter().enumerate() {
            self.known[function.first + i] = numbers;
        }
        Ok(())
    }

    /// A function whose outputs are had few at a time.
    pub(super) fn hidden<'a>(&self, path: Path, function: &'a Wired) -> Result<Hidden<'a>> {
        let inputs = self.inputs(function);
        (function.graph).hidden(path, Inputs::Values(&inputs), self.lanes)
    }

    /// The same values for every lane `count` times, one after another.
    pub(super) fn repeated(&self, count: usize) -> Self {
        let lanes = self.lanes.max(1);
        let known = self.known.iter().map(|numbers| {
            let rows = numbers.chunks_exact(lanes);
            rows.flat_map(|row| row.iter().flat_map(|&v| std::iter::repeat_n(v, count)))
                .collect()
        });
        Self {
            known: known.collect(),
            lanes: self.lanes * count,
        }
    }
}
