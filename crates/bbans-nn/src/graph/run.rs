//! A graph computed: node by node, values kept as long as somebody needs them.

use std::ops::Range;

use crate::exact::dense::check_finite;
use crate::exact::simd::Path;
use crate::graph::Graph;
use crate::graph::bind::Step;
use bbans_core::{Error, Result};

/// Most numbers that are held at a time: a gigabyte of them.
const MAX_VALUES: usize = 1 << 28;

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
    last: Option<&'a Step>,
}

impl Graph {
    /// The outputs on inputs `[features, lanes]`, in their order.
    ///
    /// # Errors
    /// If a size does not fit, so many lanes have no room, or a result is infinite or NaN.
    pub fn run(&self, path: Path, inputs: &[&[f32]], lanes: usize) -> Result<Vec<Vec<f32>>> {
        let mut slots = self.slots(inputs, lanes)?;
        self.steps(path, self.steps.len(), &mut slots, lanes)?;
        Ok(self.take(&self.outputs, &mut slots))
    }

    /// The same on data, `[lanes, features]`, most of which are zero, the only input.
    ///
    /// # Errors
    /// As [`Graph::run`].
    pub fn run_bytes(&self, path: Path, data: &[u8], lanes: usize) -> Result<Vec<Vec<f32>>> {
        let features = self.size(0);
        if self.inputs != 1 || Some(data.len()) != features.checked_mul(lanes) {
            return Err(Error::model(format!(
                "{} bytes for a function of {} inputs and {lanes} lanes; expected one input of {features} \
                 values a lane",
                data.len(),
                self.inputs
            )));
        }
        self.check_lanes(lanes)?;
        let mut slots: Vec<Slot> = self.shapes.iter().map(|_| Slot::Empty).collect();
        let mut done = 0;
        // Where nobody else needs the data as numbers.
        if let Some(first) = self.steps.first()
            && first.inputs == [0]
            && first.last == [0]
        {
            let mut out = vec![0.0; self.size(1) * lanes];
            if first.kernel.run_bytes(path, data, lanes, &mut out) {
                finite(path, first, &out)?;
                (slots[1], done) = (Slot::Made(out), 1);
            }
        }
        if done == 0 {
            let mut numbers = vec![0.0; data.len()];
            for (lane, row) in data.chunks_exact(features).enumerate() {
                for (f, &byte) in row.iter().enumerate() {
                    numbers[f * lanes + lane] = f32::from(byte);
                }
            }
            slots[0] = Slot::Made(numbers);
        }
        self.steps_from(path, done..self.steps.len(), &mut slots, lanes)?;
        Ok(self.take(&self.outputs, &mut slots))
    }

    /// All but the last node, of a function of one output: the outputs can then be had few at a time.
    ///
    /// # Errors
    /// As [`Graph::run`], or if there are several outputs.
    pub fn hidden(&self, path: Path, inputs: &[&[f32]], lanes: usize) -> Result<Hidden<'_>> {
        if self.outputs.len() != 1 {
            return Err(Error::model(format!(
                "{} outputs of a function; expected 1",
                self.outputs.len()
            )));
        }
        let mut slots = self.slots(inputs, lanes)?;
        if let Some((last, before)) = self.steps.split_last()
            && self.outputs == [self.shapes.len() - 1]
            && last.kernel.has_ranges()
        {
            self.steps(path, before.len(), &mut slots, lanes)?;
            let values = self.take(&last.inputs, &mut slots);
            return Ok(Hidden {
                graph: self,
                path,
                lanes,
                values,
                last: Some(last),
            });
        }
        self.steps(path, self.steps.len(), &mut slots, lanes)?;
        Ok(Hidden {
            graph: self,
            path,
            lanes,
            values: self.take(&self.outputs, &mut slots),
            last: None,
        })
    }

    fn size(&self, value: usize) -> usize {
        self.shapes[value].iter().product()
    }

    fn check_lanes(&self, lanes: usize) -> Result<()> {
        if lanes > 0 && self.held.saturating_mul(lanes) <= MAX_VALUES {
            return Ok(());
        }
        Err(Error::model(format!(
            "a network that holds {} numbers a lane, on {lanes} lanes; expected at least a lane and at most \
             {MAX_VALUES} numbers in all: compress with fewer lanes",
            self.held
        )))
    }

    fn slots<'a>(&self, inputs: &[&'a [f32]], lanes: usize) -> Result<Vec<Slot<'a>>> {
        self.check_lanes(lanes)?;
        let expected = (0..self.inputs).map(|value| self.size(value) * lanes);
        if !inputs.iter().map(|input| input.len()).eq(expected) {
            return Err(Error::model(format!(
                "inputs of {:?} numbers on {lanes} lanes; expected shapes {:?}",
                inputs.iter().map(|input| input.len()).collect::<Vec<_>>(),
                &self.shapes[..self.inputs]
            )));
        }
        let given = inputs.iter().map(|input| Slot::Given(input));
        let made = self.steps.iter().map(|_| Slot::Empty);
        Ok(given.chain(made).collect())
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

    fn steps(&self, path: Path, count: usize, slots: &mut [Slot<'_>], lanes: usize) -> Result<()> {
        self.steps_from(path, 0..count, slots, lanes)
    }

    fn steps_from(
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
fn in_place(path: Path, step: &Step, slots: &mut [Slot<'_>]) -> Option<Vec<f32>> {
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

fn finite(path: Path, step: &Step, values: &[f32]) -> Result<()> {
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
        finite(self.path, last, out)
    }
}
