//! Weights for a description of graphs, whose nodes they are named after.

use std::collections::BTreeMap;

use super::Imported;
use super::weights::Weights;
use crate::description::{Description, Networks};
use crate::file::{ModelFile, Tensor, bins};
use crate::graph::Node;
use crate::ops::Op;
use crate::vae::Vae;
use bbans_core::{Error, Result};

/// The model of a description with graphs, version 6 or later: tensor `PART` of node `ID` is the weights' `ID.PART`, with
/// the axes that PyTorch has, and what stands for symbols is called as in a model file. Bins are those of equal mass.
///
/// # Errors
/// If a tensor is missing or has another shape, or the parts do not fit together.
pub fn import_description(weights: &[u8], description: &Description) -> Result<Imported> {
    let mut weights = Weights::new(weights)?;
    let Networks::Graphs(graphs) = &description.networks else {
        return Err(Error::model(
            "a description of version 5 or older; expected graphs, version 6 or later",
        ));
    };
    let nodes = graphs.functions().flat_map(|function| &function.nodes);
    let nodes: BTreeMap<&str, &Node> = nodes.map(|node| (node.id.as_str(), node)).collect();
    let mut tensors = BTreeMap::new();
    for name in weights.unused() {
        let node = name.rsplit_once('.').and_then(|(id, _)| nodes.get(id));
        // A tensor that no node has is told of as one that is not used.
        if node.is_none() && !name.starts_with("symbols.") && name != crate::likelihood::EMBEDDING {
            continue;
        }
        let (shape, values) = weights.any(&name)?;
        // Biases and what stands for symbols lie alike.
        let turned = node.filter(|_| name.ends_with(".weight"));
        let order: &[usize] = match turned.map(|node| &node.op) {
            Some(Op::Dense(_)) if shape.len() == 2 => &[1, 0],
            Some(Op::Conv2d(_)) if shape.len() == 4 => &[2, 3, 1, 0],
            Some(Op::ConvTranspose2d(_)) if shape.len() == 4 => &[2, 3, 0, 1],
            _ => &[],
        };
        let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
        let (shape, values) = match order {
            [] => (shape, values),
            order => permuted(&shape, &values, order),
        };
        tensors.insert(name, Tensor::new(shape, values)?);
    }
    if !description.latent.is_none() {
        bins::insert_standard_normal(&mut tensors, description.latent.bin_precision)?;
    }
    let file = ModelFile {
        description: description.clone(),
        tensors,
    };
    file.description.validate()?;
    Vae::new(&file)?;
    Ok(Imported {
        file,
        unused: weights.unused(),
    })
}

/// Row-major values with their axes in another order.
fn permuted(shape: &[usize], values: &[f32], order: &[usize]) -> (Vec<usize>, Vec<f32>) {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let strides: Vec<usize> = order.iter().map(|&axis| stride(axis)).collect();
    let place = |mut i: usize| {
        let axes = sizes.iter().zip(&strides).rev();
        axes.fold(0, |at, (&size, &stride)| {
            let index = i % size;
            i /= size;
            at + index * stride
        })
    };
    let moved = (0..values.len()).map(|i| values[place(i)]).collect();
    (sizes, moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_moved() {
        let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
        let (shape, moved) = permuted(&[2, 3, 4], &values, &[2, 0, 1]);
        assert_eq!(shape, [4, 2, 3]);
        for (i, j, k) in [(0, 0, 0), (3, 1, 2), (1, 0, 2)] {
            assert_eq!(moved[(i * 2 + j) * 3 + k], values[(j * 3 + k) * 4 + i]);
        }
        assert_eq!(
            permuted(&[3, 2], &values[..6], &[1, 0]).1,
            [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
        );
    }
}
