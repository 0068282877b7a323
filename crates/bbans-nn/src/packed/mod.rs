//! A model in few bytes: what a file carries that needs no other.
//!
//! docs/format/packed-model.md has every byte. Weights that are multiples of a step, as training for an archive makes
//! them, take the bits that their distribution says; others are kept as they are.

mod bits;
mod grid;
mod weights;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::description::Description;
use crate::file::{MAX_DIM, ModelFile, Tensor};
use bbans_core::{Error, Result};
use bits::{Decoder, Encoder};
pub use grid::coarse_step;
use weights::Contexts;

/// First bytes of a packed model that is a file of its own.
pub const MAGIC: [u8; 8] = *b"\x89bbmod\r\n";

/// Most bytes of the description and the names of the tensors.
const MAX_JSON: u64 = 1 << 24;
/// Most tensors.
const MAX_TENSORS: usize = 1 << 16;
/// Most values of all tensors: a quarter of a gigabyte of them, which few bytes can say.
const MAX_VALUES: usize = 1 << 26;

/// The field of the tensors' names and shapes, in the order of the message.
const TENSORS: &str = "tensors";

/// A tensor to come.
#[derive(Serialize, Deserialize)]
struct Named(String, Vec<usize>);

impl ModelFile {
    /// The model in few bytes, without the record of its training.
    ///
    /// # Errors
    /// If the description cannot be written as JSON.
    pub fn pack(&self) -> Result<Vec<u8>> {
        let bad = |e| Error::model("the description cannot be written").because(e);
        let mut json = match serde_json::to_value(&self.description).map_err(bad)? {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        json.remove("training");
        let named = self.tensors.iter();
        let named: Vec<Named> = named
            .map(|(name, tensor)| Named(name.clone(), tensor.shape.clone()))
            .collect();
        json.insert(
            TENSORS.to_owned(),
            serde_json::to_value(named).map_err(bad)?,
        );
        let json = serde_json::to_vec(&json).map_err(bad)?;
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(&json)?;
        let deflated = deflated.finish()?;
        let len = u32::try_from(deflated.len()).map_err(|_| too_large())?;
        let (mut encoder, mut contexts) = (Encoder::default(), Contexts::new());
        for tensor in self.tensors.values() {
            weights::write(&mut encoder, &mut contexts, tensor)?;
        }
        let mut out = len.to_le_bytes().to_vec();
        out.extend(deflated);
        out.extend(encoder.into_words()?.iter().flat_map(|w| w.to_le_bytes()));
        Ok(out)
    }

    /// The model of [`ModelFile::pack`].
    ///
    /// # Errors
    /// If these are other bytes, or beyond the limits of this version.
    pub fn unpack(bytes: &[u8]) -> Result<Self> {
        unpack(bytes).map_err(|e| e.context("the packed model"))
    }

    /// [`ModelFile::pack`] as a file of its own.
    ///
    /// # Errors
    /// As [`ModelFile::pack`].
    pub fn to_packed_file(&self) -> Result<Vec<u8>> {
        Ok([&MAGIC[..], &self.pack()?].concat())
    }
}

fn too_large() -> Error {
    Error::model("a description of over 4 GiB")
}

fn cut_short() -> Error {
    Error::corruption("it was cut short")
}

fn unpack(bytes: &[u8]) -> Result<ModelFile> {
    let (len, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut_short)?;
    let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| cut_short())?;
    let (deflated, words) = rest.split_at_checked(len).ok_or_else(cut_short)?;
    let mut json = String::new();
    let mut inflated = DeflateDecoder::new(deflated).take(MAX_JSON + 1);
    inflated
        .read_to_string(&mut json)
        .map_err(|e| Error::corruption("the description is damaged").because(e))?;
    if json.len() as u64 > MAX_JSON {
        return Err(Error::corruption(format!(
            "a description of over {MAX_JSON} bytes"
        )));
    }
    let mut fields = Description::fields_of_json(&json)?;
    let named = fields.remove(TENSORS).unwrap_or_default();
    let named: Vec<Named> = serde_json::from_value(named)
        .map_err(|e| Error::model("the names of the tensors are not valid").because(e))?;
    let description = Description::from_canonical_fields(fields)?;
    let (words, partial) = words.as_chunks();
    if !partial.is_empty() {
        return Err(cut_short());
    }
    let words = words.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let tensors = tensors(&named, Decoder::new(words)?)?;
    Ok(ModelFile {
        description,
        tensors,
    })
}

fn tensors(named: &[Named], mut decoder: Decoder) -> Result<BTreeMap<String, Tensor>> {
    if named.len() > MAX_TENSORS || !named.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(Error::model(format!(
            "{} tensors; expected at most {MAX_TENSORS}, ascending by name",
            named.len()
        )));
    }
    let size = |shape: &[usize]| {
        let size = shape
            .iter()
            .try_fold(1usize, |n, &size| n.checked_mul(size));
        size.filter(|&size| size <= MAX_DIM)
    };
    let mut sizes = named.iter().map(|Named(_, shape)| size(shape));
    let all = sizes.try_fold(0usize, |sum, size| sum.checked_add(size?));
    if all.is_none_or(|all| all > MAX_VALUES) {
        return Err(Error::model(format!(
            "tensors beyond the limit of {MAX_VALUES} values in all"
        )));
    }
    let mut contexts = Contexts::new();
    let mut tensors = BTreeMap::new();
    for Named(name, shape) in named {
        let tensor = weights::read(&mut decoder, &mut contexts, shape)
            .map_err(|e| e.context(format!("tensor {name}")))?;
        tensors.insert(name.clone(), tensor);
    }
    decoder.finish()?;
    Ok(tensors)
}

#[cfg(test)]
mod tests;
