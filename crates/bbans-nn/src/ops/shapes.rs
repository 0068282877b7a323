//! What is said of shapes that do not fit.

use crate::description::{MAX_DIM, checked_len};
use crate::file::Tensor;
use crate::ops::Shape;
use bbans_core::{Error, Result};

/// The only input.
pub(super) fn one<'a>(inputs: &[&'a [usize]]) -> Result<&'a [usize]> {
    match inputs {
        [input] => Ok(input),
        _ => Err(Error::model(format!("{} inputs; expected 1", inputs.len()))),
    }
}

/// The only input, a picture.
pub(super) fn picture(inputs: &[&[usize]]) -> Result<[usize; 3]> {
    let input = one(inputs)?;
    <[usize; 3]>::try_from(input).map_err(|_| {
        Error::model(format!(
            "an input of shape {input:?}; expected [channels, rows, columns]"
        ))
    })
}

/// Most axes of a value.
const MAX_AXES: usize = 8;

/// A shape of few axes, whose sizes are positive and whose product is within the limit.
pub(crate) fn checked(shape: Shape) -> Result<Shape> {
    if shape.len() > MAX_AXES {
        return Err(Error::model(format!(
            "a shape of {} axes; the limit is {MAX_AXES}",
            shape.len()
        )));
    }
    match checked_len(&shape) {
        Some(_) => Ok(shape),
        None => Err(Error::model(format!(
            "a value of shape {shape:?}; expected positive sizes with a product of at most {MAX_DIM}"
        ))),
    }
}

/// Number of values of a shape that was checked.
pub(super) fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// As many tensors as an operation asked for.
pub(super) fn tensors<'a, const N: usize>(tensors: &[&'a Tensor]) -> Result<[&'a Tensor; N]> {
    tensors
        .try_into()
        .map_err(|_| Error::model(format!("{} tensors; expected {N}", tensors.len())))
}

/// Most rows or columns of a kernel, a stride, a dilation or a padding.
const MAX_REACH: usize = 1 << 10;

/// Checks sizes of a kernel, stride, dilation or factor.
pub(super) fn small(sizes: &[usize]) -> Result<()> {
    match sizes.iter().find(|size| !(1..=MAX_REACH).contains(*size)) {
        None => Ok(()),
        Some(size) => Err(Error::model(format!(
            "a kernel, stride, dilation or factor of {size}; expected 1 to {MAX_REACH}"
        ))),
    }
}

/// Checks paddings.
pub(super) fn small_paddings(sizes: &[usize]) -> Result<()> {
    match sizes.iter().find(|&&size| size > MAX_REACH) {
        None => Ok(()),
        Some(size) => Err(Error::model(format!(
            "a padding of {size}; expected at most {MAX_REACH}"
        ))),
    }
}

/// A product of sizes, or the greatest number if it is beyond.
pub(super) fn product<'a>(sizes: impl IntoIterator<Item = &'a usize>) -> u64 {
    let product = |n: u64, &size: &usize| n.saturating_mul(size as u64);
    sizes.into_iter().fold(1, product)
}

/// Checks that channels are of `groups` groups.
pub(super) fn check_groups(inputs: usize, outputs: usize, groups: usize) -> Result<()> {
    if groups == 0
        || outputs == 0
        || !inputs.is_multiple_of(groups)
        || !outputs.is_multiple_of(groups)
    {
        return Err(Error::model(format!(
            "{groups} groups of {inputs} channels to {outputs}; expected groups that divide both"
        )));
    }
    Ok(())
}

/// `at - padding`, both small.
pub(super) fn offset(at: usize, padding: usize) -> isize {
    at as isize - padding as isize
}

pub(super) fn ones() -> [usize; 2] {
    [1, 1]
}

pub(super) fn are_ones(sizes: &[usize; 2]) -> bool {
    *sizes == ones()
}

pub(super) fn are_zeros<const N: usize>(sizes: &[usize; N]) -> bool {
    *sizes == [0; N]
}

pub(super) fn unit() -> usize {
    1
}

pub(super) fn is_unit(n: &usize) -> bool {
    *n == 1
}

/// The shape of two inputs that have the same.
pub(super) fn two_alike(inputs: &[&[usize]]) -> Result<Shape> {
    match inputs {
        [a, b] if a == b => Ok(a.to_vec()),
        _ => Err(Error::model(format!(
            "inputs of shapes {inputs:?}; expected two of the same shape"
        ))),
    }
}

/// Checks attributes that are numbers.
pub(super) fn finite(values: &[f32]) -> Result<()> {
    match values.iter().find(|v| !v.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::model(format!(
            "a number {value}; expected a finite one"
        ))),
    }
}

/// Size of the first axis.
pub(super) fn first(input: &[usize]) -> Result<usize> {
    let size = input.first().copied();
    size.ok_or_else(|| Error::model("an input without axes; expected at least one"))
}

/// Checks what is added to a variance, which may be 0.
pub(super) fn positive(eps: f32) -> Result<()> {
    if eps.is_normal() && eps > 0.0 {
        return Ok(());
    }
    Err(Error::model(format!(
        "eps is {eps}; expected a positive number"
    )))
}
