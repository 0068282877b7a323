//! A graph computed: node by node, values kept as long as somebody needs them.

use std::ops::Range;

use crate::exact::dense::check_finite;
use crate::exact::simd::Path;
use crate::graph::Graph;
use crate::graph::bind::Computation;
use bbans_core::{Error, Result};

/// Most numbers that are held at a time, on all lanes: two gigabytes of them.
const MAX_VALUES: usize = 1 << 29;

/// A value while it is needed.
enum Slot<'a> {
    Empty,
    Given(&'a [f32]),
    Made(Vec<f32>),
}

impl Slot<'_> {
    fn get(&self) -> &[f32] {
        match self {
            Self::Empty => &[],
            Self::Given(values) => values,
            Self::Made(values) => values,
        }
    }
}

/// A graph whose last node is still to be computed.
#[derive(Debug)]
pub struct Hidden<'a> {
    graph: &'a Graph,
    path: Path,
    lanes: usize,
    /// The last node's inputs, or the output if it has no way to compute a range.
    values: Vec<Vec<f32>>,
    last: Option<&'a Computation>,
}

/// A function's inputs on some lanes.
#[derive(Debug, Clone, Copy)]
pub enum Inputs<'a> {
    /// Each `[features, lanes]`.
    Values(&'a [&'a [f32]]),
    /// Of the only one, parts `[features, lanes]` that stand one after another.
    Parts(&'a [&'a [f32]]),
    /// The only one as data, `[lanes, features]`, most of which are zero.
    Bytes(&'a [u8]),
}

impl Graph {
    /// The outputs, `[features, lanes]`, in their order.
    ///
    /// # Errors
    /// If a size does not fit, so many lanes have no room, or a result is infinite or NaN.
    pub fn run(&self, path: Path, inputs: Inputs<'_>, lanes: usize) -> Result<Vec<Vec<f32>>> {
        check_room(self.held, lanes)?;
        let mut slots = self.begin(path, inputs, lanes, self.steps.len())?;
        Ok(self.take(&self.outputs, &mut slots))
    }

    /// The value of every node, in order: for comparisons.
    ///
    /// # Errors
    /// As [`Graph::run`].
    pub fn values(&self, path: Path, inputs: Inputs<'_>, lanes: usize) -> Result<Vec<Vec<f32>>> {
        let mut all = self.clone();
        all.steps.iter_mut().for_each(|step| step.last.clear());
        all.outputs = (self.inputs..self.shapes.len()).collect();
        all.held = self.shapes.iter().fold(0, |n, shape| {
            n.saturating_add(shape.iter().product::<usize>())
        });
        all.run(path, inputs, lanes)
    }

    /// All but the last node, of a function of one output: the outputs can then be had few at a time.
    ///
    /// # Errors
    /// As [`Graph::run`], or if there are several outputs.
    pub fn hidden(&self, path: Path, inputs: Inputs<'_>, lanes: usize) -> Result<Hidden<'_>> {
        if self.outputs.len() != 1 {
            return Err(Error::model(format!(
                "{} outputs of a function; expected 1",
                self.outputs.len()
            )));
        }
        let last = self
            .steps
            .last()
            .filter(|last| self.outputs == [self.shapes.len() - 1] && last.kernel.has_ranges());
        let (held, steps, wanted) = match last {
            Some(last) => (self.held_before_last, self.steps.len() - 1, &last.inputs),
            None => (self.held, self.steps.len(), &self.outputs),
        };
        check_room(held, lanes)?;
        let mut slots = self.begin(path, inputs, lanes, steps)?;
        Ok(Hidden {
            graph: self,
            path,
            lanes,
            values: self.take(wanted, &mut slots),
            last,
        })
    }

    /// The first `count` steps.
    fn begin<'a>(
        &self,
        path: Path,
        inputs: Inputs<'a>,
        lanes: usize,
        count: usize,
    ) -> Result<Vec<Slot<'a>>> {
        self.check_inputs(inputs, lanes)?;
        let mut slots: Vec<Slot<'a>> = self.shapes.iter().map(|_| Slot::Empty).collect();
        let mut done = 0;
        // Its own way, where nobody else needs the input as one.
        if !matches!(inputs, Inputs::Values(_))
            && let Some(first) = self.steps[..count].first()
            && first.inputs == [0]
            && first.last == [0]
        {
            let mut out = vec![0.0; self.size(self.inputs) * lanes];
            let made = match inputs {
                Inputs::Values(_) => false,
                Inputs::Parts(parts) => first.kernel.run_parts(path, parts, lanes, &mut out),
                Inputs::Bytes(data) => first.kernel.run_bytes(path, data, lanes, &mut out),
            };
            if made {
                finite(path, first, &out)?;
                (slots[1], done) = (Slot::Made(out), 1);
            }
        }
        if done == 0 {
            match inputs {
                Inputs::Values(values) => {
                    for (slot, input) in slots.iter_mut().zip(values) {
                        *slot = Slot::Given(input);
                    }
                }
                Inputs::Parts(parts) => slots[0] = Slot::Made(parts.concat()),
                Inputs::Bytes(data) => slots[0] = Slot::Made(numbers(data, lanes)),
            }
        }
        self.steps(path, done..count, &mut slots, lanes)?;
        Ok(slots)
    }

    fn size(&self, value: usize) -> usize {
        self.shapes[value].iter().product()
    }

    fn check_inputs(&self, inputs: Inputs<'_>, lanes: usize) -> Result<()> {
        let expected = || (0..self.inputs).map(|value| self.size(value) * lanes);
        let fits = match inputs {
            Inputs::Values(values) => values.iter().map(|input| input.len()).eq(expected()),
            Inputs::Parts(parts) => {
                let all: usize = parts.iter().map(|part| part.len()).sum();
                expected().eq([all])
            }
            Inputs::Bytes(data) => expected().eq([data.len()]),
        };
        if fits {
            return Ok(());
        }
        Err(Error::model(format!(
            "inputs of other sizes than {:?} on {lanes} lanes, which the shapes {:?} have",
            expected().collect::<Vec<_>>(),
            self.inputs()
        )))
    }

    /// The values that are asked for, each copied only where it is there for several.
    fn take(&self, values: &[usize], slots: &mut [Slot<'_>]) -> Vec<Vec<f32>> {
        let take = |(i, &value): (usize, &usize)| {
            if values[i + 1..].contains(&value) {
                return slots[value].get().to_vec();
            }
            match std::mem::replace(&mut slots[value], Slot::Empty) {
                Slot::Made(values) => values,
                given => given.get().to_vec(),
            }
        };
        values.iter().enumerate().map(take).collect()
    }

    fn steps(
        &self,
        path: Path,
        range: Range<usize>,
        slots: &mut [Slot<'_>],
        lanes: usize,
    ) -> Result<()> {
        for (step, i) in self.steps[range.clone()].iter().zip(range) {
            let to = self.inputs + i;
            let out = match in_place(path, step, slots) {
                Some(values) => values,
                None => {
                    let mut out = vec![0.0; self.size(to) * lanes];
                    let inputs: Vec<&[f32]> = step.inputs.iter().map(|&v| slots[v].get()).collect();
                    step.kernel.run(path, &inputs, lanes, &mut out);
                    out
                }
            };
            finite(path, step, &out)?;
            step.last
                .iter()
                .for_each(|&value| slots[value] = Slot::Empty);
            slots[to] = Slot::Made(out);
        }
        Ok(())
    }
}

/// The step's value in the place of its only input, if nobody else needs that.
fn in_place(path: Path, step: &Computation, slots: &mut [Slot<'_>]) -> Option<Vec<f32>> {
    let (&[input], &[last]) = (&step.inputs[..], &step.last[..]) else {
        return None;
    };
    match std::mem::replace(&mut slots[input], Slot::Empty) {
        Slot::Made(mut values) if last == input => {
            if step.kernel.run_in_place(path, &mut values) {
                return Some(values);
            }
            slots[input] = Slot::Made(values);
        }
        other => slots[input] = other,
    }
    None
}

/// Checks that so many numbers a lane have room in memory.
pub(crate) fn check_room(held: usize, lanes: usize) -> Result<()> {
    if lanes > 0 && held.saturating_mul(lanes) <= MAX_VALUES {
        return Ok(());
    }
    Err(Error::model(format!(
        "a network that holds {held} numbers a lane, on {lanes} lanes; expected at least a lane and at most \
         {MAX_VALUES} numbers in all: compress with fewer lanes"
    )))
}

/// Data, `[lanes, features]`, as numbers, `[features, lanes]`.
fn numbers(data: &[u8], lanes: usize) -> Vec<f32> {
    let mut numbers = vec![0.0; data.len()];
    for (lane, row) in data.chunks_exact((data.len() / lanes).max(1)).enumerate() {
        for (f, &byte) in row.iter().enumerate() {
            numbers[f * lanes + lane] = f32::from(byte);
        }
    }
    numbers
}

fn finite(path: Path, step: &Computation, values: &[f32]) -> Result<()> {
    if step.kernel.keeps_finite() {
        return Ok(());
    }
    check_finite(path, values)
}

impl Hidden<'_> {
    /// Number of lanes.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Some of the outputs into `out`, `[range.len(), lanes]`. Fastest from a multiple of 32 on.
    ///
    /// # Errors
    /// If a size does not fit, or a result is infinite or NaN.
    pub fn outputs(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        self.unchecked_outputs(range, out)?;
        match self.last {
            Some(last) => finite(self.path, last, out),
            None => Ok(()),
        }
    }

    /// [`Hidden::outputs`] that may be infinite or NaN.
    pub(crate) fn unchecked_outputs(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        let all = self
            .graph
            .outputs()
            .next()
            .map_or(0, |shape| shape.iter().product());
        if range.start > range.end || range.end > all || out.len() != range.len() * self.lanes {
            return Err(Error::model(format!(
                "room for {} values for outputs {range:?} of {all} on {} lanes",
                out.len(),
                self.lanes
            )));
        }
        let Some(last) = self.last else {
            let values = self.values.first().map_or(&[][..], |values| values);
            out.copy_from_slice(&values[range.start * self.lanes..range.end * self.lanes]);
            return Ok(());
        };
        let inputs: Vec<&[f32]> = self.values.iter().map(|values| &values[..]).collect();
        (last.kernel).run_range(self.path, &inputs, self.lanes, range, out);
        Ok(())
    }
}
