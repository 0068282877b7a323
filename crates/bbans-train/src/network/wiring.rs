//! Functions with the names of the values that they take and give.

use std::collections::BTreeMap;

use bbans_nn::graph::Function;
use bbans_nn::ops::Shape;
use candle_core::Tensor;

use super::parameters::Parameters;
use crate::error::{Error, Result};
use crate::graph::{Graph, walk};

/// A function and the names of the values that it takes and gives.
pub(super) struct Wired {
    pub graph: Graph,
    inputs: Vec<String>,
    pub outputs: Vec<String>,
}

/// The first two values that a function has given.
pub(super) fn pair(function: &Wired, values: &BTreeMap<&str, Tensor>) -> Result<[Tensor; 2]> {
    let value = |i: usize| {
        let name = function.outputs.get(i);
        let value = name.and_then(|name| values.get(name.as_str())).cloned();
        value.ok_or_else(|| Error::new("a prior without mean and log standard deviation"))
    };
    Ok([value(0)?, value(1)?])
}

impl Wired {
    pub(super) fn run(&self, values: &BTreeMap<&str, Tensor>, lanes: usize) -> Result<Vec<Tensor>> {
        let value = |name: &String| {
            let value = values.get(name.as_str()).cloned();
            value.ok_or_else(|| Error::new(format!("{name} is no value of the model")))
        };
        let inputs = self.inputs.iter().map(value).collect::<Result<Vec<_>>>()?;
        self.graph.run(&inputs, lanes)
    }

    /// Makes known what the function gives.
    pub(super) fn make<'a>(
        &'a self,
        values: &mut BTreeMap<&'a str, Tensor>,
        lanes: usize,
    ) -> Result<()> {
        let outputs = self.run(values, lanes)?;
        values.extend(self.outputs.iter().map(String::as_str).zip(outputs));
        Ok(())
    }
}

/// Functions as they find their parameters, one after another.
pub(super) struct Wiring<'a> {
    pub parameters: Parameters<'a>,
    /// Of the values that are known.
    pub shapes: BTreeMap<String, Shape>,
}

impl Wiring<'_> {
    /// A function; with `named` its outputs become values.
    pub(super) fn wire(&mut self, who: &str, function: &Function, named: bool) -> Result<Wired> {
        let inputs = self.shapes_of(who, function)?;
        let in_function = |e: Error| e.context(who);
        let outputs = walk(function, &inputs, |site| self.parameters.draw(site));
        let outputs = outputs.map_err(in_function)?;
        let graph = Graph::new(function, &inputs, &self.parameters.builder());
        if named {
            let names = function.outputs.iter().cloned();
            self.shapes.extend(names.zip(outputs));
        }
        Ok(Wired {
            graph: graph.map_err(in_function)?,
            inputs: function.inputs.clone(),
            outputs: function.outputs.clone(),
        })
    }

    /// Shapes of a function's inputs.
    pub(super) fn shapes_of(&self, who: &str, function: &Function) -> Result<Vec<Shape>> {
        let shape = |name: &String| {
            let shape = self.shapes.get(name).cloned();
            shape.ok_or_else(|| {
                Error::new(format!(
                    "{who} takes {name}, which is no value of the model"
                ))
            })
        };
        function.inputs.iter().map(shape).collect()
    }
}
