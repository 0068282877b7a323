//! What a function ends with: means and log standard deviations, or the parameters of the likelihood.

use super::Model;
use super::building::{Building, Pending};
use crate::import::arch::{Arch, Head, Normal, Scale};
use crate::ops::{self, Op};
use bbans_core::{Error, Result};

impl Building {
    /// The means and log standard deviations of latents, as nodes.
    pub(super) fn normal(
        &mut self,
        model: &mut Model<'_, '_>,
        normal: &Normal,
    ) -> Result<[String; 2]> {
        if normal.layers.is_empty() {
            // The heads begin with values of their own.
            return self.heads_on(model, normal, None);
        }
        let last = self.layers(model, &normal.layers, None)?;
        self.heads_on(model, normal, Some(&last))
    }

    pub(super) fn heads(
        &mut self,
        model: &mut Model<'_, '_>,
        normal: &Normal,
        current: &str,
    ) -> Result<[String; 2]> {
        self.heads_on(model, normal, Some(current))
    }

    fn heads_on(
        &mut self,
        model: &mut Model<'_, '_>,
        normal: &Normal,
        current: Option<&str>,
    ) -> Result<[String; 2]> {
        let half = matches!(normal.scale(), Scale::LogVariance);
        let mut outputs = Vec::new();
        let heads = normal.heads().map_err(|e| e.context(self.part.clone()))?;
        for (steps, head) in heads {
            let last = self.unsettled(model, steps, current);
            let last = last.map_err(|e| e.context(self.part.clone()))?;
            // Half the log variance is the log standard deviation.
            let folded = match &mut self.pending {
                // Of linear_rows the first axis is not that of the outputs.
                Some(Pending { linear, id, op, .. })
                    if half && *id == last && !matches!(op, Op::Cells(_)) =>
                {
                    let count = linear.outputs();
                    let first = if head == Head::Both { count / 2 } else { 0 };
                    if head != Head::Mean {
                        linear.scale_outputs(first..count, 0.5, 0.0);
                    }
                    true
                }
                _ => false,
            };
            self.settle(model)?;
            let halve = |this: &mut Self, model: &mut Model<'_, '_>, id: String| {
                if half && !folded {
                    return this.scale(model, &id, 0.5, 0.0);
                }
                this.own(model, id)
            };
            match head {
                Head::Mean => outputs.push(self.own(model, last)?),
                Head::Scale => outputs.push(halve(self, model, last)?),
                Head::Both => {
                    let all = self.shapes[&last].first().copied().unwrap_or(0);
                    if !all.is_multiple_of(2) {
                        return Err(Error::model(format!(
                            "{}: means and scales of shape {:?}; expected an even first axis",
                            self.part, self.shapes[&last]
                        )));
                    }
                    outputs.push(self.slice(model, [0, all / 2], 0, &last)?);
                    let scale = self.slice(model, [all / 2, all], 0, &last)?;
                    outputs.push(halve(self, model, scale)?);
                }
            }
        }
        let [mean, log_sigma] = <[String; 2]>::try_from(outputs)
            .map_err(|_| Error::model(format!("{}: expected means and scales", self.part)))?;
        if self.shapes[&mean] != self.shapes[&log_sigma] {
            return Err(Error::model(format!(
                "{}: means of shape {:?}, but scales of shape {:?}; expected the same",
                self.part, self.shapes[&mean], self.shapes[&log_sigma]
            )));
        }
        Ok([mean, log_sigma])
    }

    /// The likelihood's parameters as the model file has them, `[dims, parameters]`, in units of the symbols.
    pub(super) fn arrange(
        &mut self,
        model: &mut Model<'_, '_>,
        last: &str,
        arch: &Arch,
    ) -> Result<String> {
        let likelihood = arch.likelihood.likelihood()?;
        let (outputs, each) = (
            likelihood.outputs(&arch.data.shape)?,
            likelihood.parameters(),
        );
        let found = &self.shapes[last];
        if found.iter().product::<usize>() != outputs {
            return Err(Error::model(format!(
                "decoder: an output of shape {found:?}; expected {outputs} numbers, {each} parameters for each of {}",
                outputs / each.max(1)
            )));
        }
        let units = arch.likelihood.units(&arch.data)?;
        let last = last.to_owned();
        if each == 1 || arch.likelihood.dimensions_first() && units.is_none() {
            return self.own(model, last);
        }
        let reshape = |shape: [usize; 2]| {
            Op::Reshape(ops::Reshape {
                shape: shape.to_vec(),
            })
        };
        let turn = || Op::Permute(ops::Permute { axes: vec![1, 0] });
        let dims = outputs / each;
        let mut value = if arch.likelihood.dimensions_first() {
            let rows = self.push(model, "", reshape([dims, each]), vec![last])?;
            self.push(model, "", turn(), vec![rows])?
        } else {
            self.push(model, "", reshape([each, dims]), vec![last])?
        };
        if let Some(units) = units {
            value = self.affine(model, "", &value, &units)?;
        }
        self.push(model, "", turn(), vec![value])
    }
}
