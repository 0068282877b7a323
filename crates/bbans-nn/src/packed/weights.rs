//! Tensors as integers.

use super::bits::{Bit, Coder, Encoder, Integers, MAX_BITS};
use super::grid::{MAX_MULTIPLE, code_of_step, multiple, step_of, step_of_code};
use crate::file::Tensor;
use bbans_core::{Error, Result};
use half::f16;

/// How the values of a tensor are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All 32 bits.
    Floats,
    /// The 16 bits of floats of half precision.
    Halves,
    /// Multiples of one step.
    Multiples,
    /// Multiples of a step for each index of the last axis.
    Channels,
    /// Differences from the value before, the first from 0, multiples of one step.
    Differences,
}

impl Form {
    const ALL: [Self; 5] = [
        Self::Floats,
        Self::Halves,
        Self::Multiples,
        Self::Channels,
        Self::Differences,
    ];
    /// Bits of its number.
    const BITS: u32 = 3;
}

/// What is known of all tensors so far.
pub(super) struct Contexts {
    /// Of tensors of at most one axis, which are short.
    vectors: Integers,
    /// Of how steps go on.
    steps: Steps,
}

impl Contexts {
    pub(super) fn new() -> Self {
        Self {
            vectors: Integers::new(),
            steps: Steps {
                before: ONE,
                quarters: Integers::new(),
                rest: [Bit::default(); REST as usize],
            },
        }
    }
}

/// The code of the step 1, which comes before the first.
const ONE: u32 = 127 << 8;
/// Bits of a step's code below quarters of an octave.
const REST: u32 = 6;

/// Steps one after another.
struct Steps {
    before: u32,
    /// Of the difference in quarters of an octave.
    quarters: Integers,
    /// What is below, mostly 0.
    rest: [Bit; REST as usize],
}

impl Steps {
    fn code(&mut self, coder: &mut impl Coder, step: f32) -> Result<f32> {
        let code = code_of_step(step).unwrap_or(ONE);
        let before = (self.before >> REST) as i32;
        let difference = self.quarters.code(coder, (code >> REST) as i32 - before)?;
        let mut read = u32::try_from(before + difference).map_err(|_| no_step())?;
        for (i, of) in self.rest.iter_mut().enumerate() {
            let bit = coder.bit(of, code >> (REST as usize - 1 - i) & 1 == 1)?;
            read = read.checked_shl(1).unwrap_or(0) | u32::from(bit);
        }
        self.before = read;
        step_of_code(read).ok_or_else(no_step)
    }
}

fn no_step() -> Error {
    Error::corruption("a packed model with a step that is none")
}

/// Chooses the form of fewest bits, and writes it.
pub(super) fn write(encoder: &mut Encoder, contexts: &mut Contexts, tensor: &Tensor) -> Result<()> {
    let (mut best, mut fewest) = (Form::Floats, f64::INFINITY);
    for form in Form::ALL.into_iter().filter(|form| form.fits(tensor)) {
        // Contexts of steps and vectors are shared: what they learn of later tensors is not foreseen.
        let mut trial = Encoder::default();
        code(&mut trial, &mut Contexts::new(), tensor, form)?;
        if trial.bits() < fewest {
            (best, fewest) = (form, trial.bits());
        }
    }
    encoder.raw(Form::BITS, best as u32)?;
    code(encoder, contexts, tensor, best).map(drop)
}

/// The tensor of a shape.
pub(super) fn read(
    decoder: &mut impl Coder,
    contexts: &mut Contexts,
    shape: &[usize],
) -> Result<Tensor> {
    let number = decoder.raw(Form::BITS, 0)? as usize;
    let form = *Form::ALL.get(number).ok_or_else(|| {
        Error::compatibility(format!(
            "a packed model with weights of form {number}, which this program does not know; use a newer bbans"
        ))
    })?;
    let nothing = Tensor {
        shape: shape.to_vec(),
        values: Vec::new(),
    };
    Tensor::new(shape.to_vec(), code(decoder, contexts, &nothing, form)?)
}

impl Form {
    /// Whether the values can be written so exactly.
    fn fits(self, tensor: &Tensor) -> bool {
        let values = &tensor.values;
        match self {
            Self::Floats => true,
            Self::Halves => values.iter().all(|&v| f16::from_f32(v).to_f32() == v),
            Self::Multiples => step_of(values.iter().copied()).is_some(),
            Self::Channels => {
                tensor.shape.len() > 1
                    && (0..channels(&tensor.shape))
                        .all(|c| step_of(channel(values, c, channels(&tensor.shape))).is_some())
            }
            Self::Differences => step_of(values.iter().copied()).is_some_and(|step| {
                let numbers = values.iter().filter_map(|&v| multiple(v, step));
                let numbers: Vec<i32> = numbers.collect();
                let pairs = numbers.windows(2).map(|pair| pair[1] - pair[0]);
                pairs
                    .chain(numbers.first().copied())
                    .all(|n| n.unsigned_abs() < 1 << MAX_BITS)
            }),
        }
    }
}

/// Size of the last axis.
fn channels(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1).max(1)
}

fn channel(values: &[f32], c: usize, of: usize) -> impl Iterator<Item = f32> + Clone + '_ {
    values.iter().skip(c).step_by(of).copied()
}

/// The values of a tensor in a form, written or read.
fn code(
    coder: &mut impl Coder,
    contexts: &mut Contexts,
    tensor: &Tensor,
    form: Form,
) -> Result<Vec<f32>> {
    let Tensor { shape, values } = tensor;
    let count = shape.iter().product();
    let value = |i: usize| values.get(i).copied().unwrap_or(0.0);
    // No more than there is: a number takes a bit, about, and what is not there is an error.
    let mut read = Vec::new();
    let mut own = Integers::new();
    let Contexts { vectors, steps } = contexts;
    let integers = match shape.len() {
        0 | 1 if form != Form::Differences => vectors,
        _ => &mut own,
    };
    match form {
        Form::Floats => {
            for i in 0..count {
                read.push(f32::from_bits(coder.raw(32, value(i).to_bits())?));
            }
        }
        Form::Halves => {
            for i in 0..count {
                let bits = u32::from(f16::from_f32(value(i)).to_bits());
                read.push(f16::from_bits(coder.raw(16, bits)? as u16).to_f32());
            }
        }
        Form::Multiples | Form::Channels => {
            let channels = match form {
                Form::Channels => channels(shape),
                _ => 1,
            };
            let mut of_channels = Vec::new();
            for c in 0..channels {
                let step = step_of(channel(values, c, channels)).unwrap_or(1.0);
                of_channels.push(steps.code(coder, step)?);
            }
            for (i, step) in (0..count).zip(of_channels.iter().cycle()) {
                let n = integers.code(coder, multiple(value(i), *step).unwrap_or(0))?;
                read.push(product(n, *step)?);
            }
        }
        Form::Differences => {
            let step = step_of(values.iter().copied()).unwrap_or(1.0);
            let step = steps.code(coder, step)?;
            let (mut before, mut sum) = (0, 0i32);
            for i in 0..count {
                let n = multiple(value(i), step).unwrap_or(0);
                let difference = integers.code(coder, n - before)?;
                before = n;
                sum = sum.saturating_add(difference);
                read.push(product(sum, step)?);
            }
        }
    }
    Ok(read)
}

fn product(n: i32, step: f32) -> Result<f32> {
    if f64::from(n).abs() > MAX_MULTIPLE {
        return Err(Error::corruption(format!(
            "a packed model with a weight of {n} steps; expected at most {MAX_MULTIPLE}"
        )));
    }
    Ok(n as f32 * step)
}
