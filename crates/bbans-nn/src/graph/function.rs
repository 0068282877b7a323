//! What a model file says of a network.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::ops::Op;
use bbans_core::{Error, Result};

/// Most nodes of a function.
const MAX_NODES: usize = 4096;
/// Longest name of a node or an input.
const MAX_NAME: usize = 100;

/// A function of named values: nodes in the order of their computation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Names of the values that it is given.
    pub inputs: Vec<String>,
    /// The operations.
    pub nodes: Vec<Node>,
    /// Names of the nodes, or inputs, that are its results.
    pub outputs: Vec<String>,
}

/// An operation on values: `{"id": .., "op": .., "inputs": [..]}` and the operation's attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, and what its tensors' names begin with.
    pub id: String,
    /// What it does.
    pub op: Op,
    /// Names of nodes before it, or of the function's inputs.
    pub inputs: Vec<String>,
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let mut fields = Map::new();
        fields.insert("id".to_owned(), Value::from(self.id.as_str()));
        match serde_json::to_value(&self.op).map_err(S::Error::custom)? {
            Value::Object(of_op) => fields.extend(of_op),
            other => return Err(S::Error::custom(format!("an operation is {other}"))),
        }
        fields.insert("inputs".to_owned(), Value::from(self.inputs.clone()));
        fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        use serde::de::Error;
        let mut fields = Map::deserialize(deserializer)?;
        let mut take = |name: &str| {
            let field = fields.remove(name);
            field.ok_or_else(|| D::Error::custom(format!("a node without {name}")))
        };
        let (id, inputs) = (take("id")?, take("inputs")?);
        let id: String = serde_json::from_value(id)
            .map_err(|e| D::Error::custom(format!("a node's id: {e}")))?;
        let inputs = serde_json::from_value(inputs)
            .map_err(|e| D::Error::custom(format!("inputs of node {id}: {e}")))?;
        let op = serde_json::from_value(Value::Object(fields))
            .map_err(|e| D::Error::custom(format!("node {id}: {e}")))?;
        Ok(Self { id, op, inputs })
    }
}

impl Function {
    /// Checks that names are short and of characters that can be read in a message.
    ///
    /// # Errors
    /// If one is not.
    pub(crate) fn check_names(&self) -> Result<()> {
        let ids = self.nodes.iter().map(|node| &node.id);
        self.inputs
            .iter()
            .chain(ids)
            .try_for_each(|name| check_name(name))
    }

    /// Checks that it is a graph: names are there once, and nodes take what comes before them.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self) -> Result<()> {
        self.check_names()?;
        self.wires().map(drop)
    }

    /// Where each node finds its inputs, and where the outputs are: values are numbered, the inputs first, then the
    /// nodes.
    ///
    /// # Errors
    /// If there are too many nodes, a name is there twice, or means nothing that comes before, or a value is
    /// used by nobody.
    pub(super) fn wires(&self) -> Result<(Vec<Vec<usize>>, Vec<usize>)> {
        if self.nodes.len() > MAX_NODES {
            return Err(Error::model(format!(
                "a function of {} nodes; the limit is {MAX_NODES}",
                self.nodes.len()
            )));
        }
        let names: Vec<&String> = (self.inputs.iter())
            .chain(self.nodes.iter().map(|node| &node.id))
            .collect();
        let mut numbers = BTreeMap::new();
        for (number, name) in names.iter().enumerate() {
            if numbers.insert(name.as_str(), number).is_some() {
                return Err(Error::model(format!(
                    "two values of a function have the name {name}; expected one for each name"
                )));
            }
        }
        let mut used = BTreeSet::new();
        let mut wire = |name: &String, before: usize, who: &dyn Fn() -> String| match numbers
            .get(name.as_str())
        {
            Some(&number) if number < before => {
                used.insert(number);
                Ok(number)
            }
            Some(_) => Err(Error::model(format!(
                "{} takes {name}, which is not computed before it; expected nodes in the order of \
                     their computation, without cycles",
                who()
            ))),
            None => Err(Error::model(format!(
                "{} takes {name}, which is neither an input of the function nor a node of it",
                who()
            ))),
        };
        let mut wires = Vec::with_capacity(self.nodes.len());
        for (i, node) in self.nodes.iter().enumerate() {
            let who = || format!("node {}", node.id);
            let before = self.inputs.len() + i;
            let inputs = node.inputs.iter().map(|name| wire(name, before, &who));
            wires.push(inputs.collect::<Result<_>>()?);
        }
        let who = || "the function's list of outputs".to_owned();
        let outputs = self.outputs.iter();
        let outputs = outputs
            .map(|name| wire(name, names.len(), &who))
            .collect::<Result<Vec<_>>>()?;
        if outputs.is_empty() {
            return Err(Error::model(
                "a function without outputs; expected at least 1",
            ));
        }
        match (0..names.len()).find(|number| !used.contains(number)) {
            None => Ok((wires, outputs)),
            Some(number) => Err(Error::model(format!(
                "nobody uses {}; expected every value to be an output or what a node takes",
                names[number]
            ))),
        }
    }
}

/// Checks the name of a value or a node.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let readable = name.chars().all(|c| c.is_ascii_graphic());
    if readable && (1..=MAX_NAME).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::model(format!(
        "the name {name:?} of a value; expected 1 to {MAX_NAME} printable ASCII characters without spaces"
    )))
}
