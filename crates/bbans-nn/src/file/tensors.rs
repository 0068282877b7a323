//! The model file: safetensors with a [`Description`] in its metadata.

use std::collections::{BTreeMap, HashMap};

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::description::{Description, check_unique};
use crate::packed;
use bbans_core::{Error, Result};

/// Key of the description in the metadata of the safetensors file.
const METADATA_KEY: &str = "bbans";
/// Version of the description from which on tensors may be of 16-bit floats.
const HALF_SINCE: u32 = 3;

/// A tensor of a model: finite `f32` values, row-major, without negative zeros.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// The values, `shape`'s product of them.
    pub values: Vec<f32>,
}

/// A description and the tensors that it names.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFile {
    /// What the model is.
    pub description: Description,
    /// All tensors of the file, by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Tensor {
    /// A tensor of `shape` from its values; `-0` becomes `+0`, so that leaving out the terms of an
    /// input that is zero changes no sum.
    ///
    /// # Errors
    /// If the number of values is not the product of the shape, or a value is infinite or NaN.
    pub fn new(shape: Vec<usize>, mut values: Vec<f32>) -> Result<Self> {
        let expected = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if expected != Some(values.len()) {
            return Err(Error::model(format!(
                "{} values do not fill shape {shape:?}",
                values.len()
            )));
        }
        if let Some(i) = values.iter().position(|v| !v.is_finite()) {
            return Err(Error::model(format!(
                "value {i} is {}; weights must be finite",
                values[i]
            )));
        }
        // -0.0 + 0.0 is +0.0, and every other value is unchanged.
        values.iter_mut().for_each(|v| *v += 0.0);
        Ok(Self { shape, values })
    }
}

impl Tensor {
    /// The nearest tensor of 16-bit floats.
    ///
    /// # Errors
    /// If a value is too large for one.
    pub fn halved(self) -> Result<Self> {
        let values = self.values.iter().map(|&v| f16::from_f32(v).to_f32());
        Self::new(self.shape, values.collect())
    }

    /// Type and bytes in a file; 16-bit floats if they are allowed and exact.
    fn stored(&self, half: bool) -> (Dtype, Vec<u8>) {
        let exact = |&v: &f32| f16::from_f32(v).to_f32() == v;
        if half && self.values.iter().all(exact) {
            let bytes = self
                .values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes());
            return (Dtype::F16, bytes.collect());
        }
        let bytes = self.values.iter().flat_map(|v| v.to_le_bytes());
        (Dtype::F32, bytes.collect())
    }
}

impl ModelFile {
    /// Parses the bytes of a model file, or of a packed model that is one.
    ///
    /// # Errors
    /// If the bytes are not safetensors, carry no description, or hold a tensor that is not of a type
    /// that its version has, or not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if let Some(packed) = bytes.strip_prefix(&packed::MAGIC) {
            return Self::unpack(packed);
        }
        let bad = |e: safetensors::SafeTensorError| {
            Error::model(
                "not a model file; expected one that `bbans train` or `bbans import` wrote",
            )
            .because(e)
        };
        let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(bad)?;
        // The library takes the last of two tensors, or texts, of one name.
        let header = bytes.get(8..8 + header).unwrap_or_default();
        check_unique(&String::from_utf8_lossy(header))
            .map_err(|e| e.context("the header of the model file"))?;
        let json = metadata
            .metadata()
            .as_ref()
            .and_then(|m| m.get(METADATA_KEY))
            .ok_or_else(|| {
                Error::model(
                    "a safetensors file without a bbans description in its metadata; expected a \
                     file that `bbans train` or `bbans import` wrote",
                )
            })?;
        let description = Description::from_json(json)?;
        let file = SafeTensors::deserialize(bytes).map_err(bad)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let tensor = read_tensor(&view, description.version >= HALF_SINCE)
                .map_err(|e| e.context(format!("tensor {name}")))?;
            tensors.insert(name.to_owned(), tensor);
        }
        Ok(Self {
            description,
            tensors,
        })
    }

    /// The bytes of the model file. The same model gives the same bytes. From version 3 of the
    /// description on, tensors whose values all are 16-bit floats are written so.
    ///
    /// # Errors
    /// If the description cannot be written as JSON or a shape does not fit its values.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_string(&self.description)
            .map_err(|e| Error::model("the description cannot be written").because(e))?;
        let half = self.description.version >= HALF_SINCE;
        let bytes: Vec<(&String, &Tensor, Dtype, Vec<u8>)> = (self.tensors.iter())
            .map(|(name, t)| {
                let (dtype, bytes) = t.stored(half);
                (name, t, dtype, bytes)
            })
            .collect();
        let views = bytes
            .iter()
            .map(|(name, t, dtype, b)| Ok((*name, TensorView::new(*dtype, t.shape.clone(), b)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), json)]);
        views
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(|e| Error::model("the model cannot be written").because(e))
    }

    /// A tensor that must be there with this shape.
    ///
    /// # Errors
    /// If it is missing or has another shape; both shapes are named.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        tensor(&self.tensors, name, shape)
    }
}

/// A tensor that must be there with this shape.
pub(crate) fn tensor<'a>(
    tensors: &'a BTreeMap<String, Tensor>,
    name: &str,
    shape: &[usize],
) -> Result<&'a Tensor> {
    let tensor = tensors.get(name).ok_or_else(|| {
        Error::model(format!(
            "the model has no tensor {name}; expected one of shape {shape:?}"
        ))
    })?;
    if tensor.shape != shape {
        return Err(Error::model(format!(
            "tensor {name} has shape {:?}; expected {shape:?}",
            tensor.shape
        )));
    }
    Ok(tensor)
}

fn read_tensor(view: &TensorView<'_>, half: bool) -> Result<Tensor> {
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => {
            let (values, _) = data.as_chunks();
            values.iter().map(|&b| f32::from_le_bytes(b)).collect()
        }
        Dtype::F16 if half => {
            let (values, _) = data.as_chunks();
            values
                .iter()
                .map(|&b| f16::from_le_bytes(b).to_f32())
                .collect()
        }
        other => {
            let expected = if half { "F32 or F16" } else { "F32" };
            return Err(Error::model(format!("type {other:?}; expected {expected}")));
        }
    };
    Tensor::new(view.shape().to_vec(), values)
}
