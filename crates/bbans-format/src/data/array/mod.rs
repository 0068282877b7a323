//! Files of values of one type: a header, which is kept as it is, then one value after another.

mod axes;
mod header;
mod values;

pub(super) use axes::reverse_axes;
pub(super) use header::{Header, idx, npy, pnm};
pub(super) use values::Values;

use super::element::Element;
use super::prefix;

/// What a file of values is, besides their shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    /// What kind of file.
    pub form: Form,
    /// Its bytes up to the first value.
    pub prefix: Vec<u8>,
    /// The type of a value.
    pub element: Element,
    /// Whether the data's first values are side by side, then their second ones: the order of Fortran.
    pub fortran: bool,
}

/// Kinds of files of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Form {
    Raw,
    Idx,
    Npy,
    Pnm,
}

/// In the order of their numbers in a header.
const FORMS: [(Form, &str); 4] = [
    (Form::Raw, "raw"),
    (Form::Idx, "idx"),
    (Form::Npy, "npy"),
    (Form::Pnm, "pnm"),
];

impl Form {
    /// Its name.
    pub fn name(self) -> &'static str {
        FORMS[usize::from(self.code())].1
    }

    pub(super) fn code(self) -> u8 {
        FORMS.iter().position(|form| form.0 == self).unwrap_or(0) as u8
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        FORMS.get(usize::from(code)).map(|form| form.0)
    }
}

/// Headers that follow from what else is known of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usual {
    /// The first axis is the number of data, the others are those of a datum.
    Axes,
    /// All values are one row.
    Row,
}

impl Usual {
    pub(super) const ALL: [Self; 2] = [Self::Axes, Self::Row];
}

impl Array {
    /// The form of a file that version 1 of the container has.
    pub(super) fn old_form(&self) -> Option<Form> {
        let old = self.element == Element::U8 && !self.fortran;
        Some(self.form).filter(|form| old && matches!(form, Form::Idx | Form::Npy))
    }

    /// The header of `count` data of this shape as most programs write it, if they have one for it.
    pub(super) fn usual_prefix(
        &self,
        usual: Usual,
        count: usize,
        shape: &[usize],
    ) -> Option<Vec<u8>> {
        let (count, shape) = match usual {
            Usual::Axes => (count, shape),
            // A row has no other order, and without a header no other form.
            Usual::Row if self.form == Form::Raw || self.fortran => return None,
            // Layouts of version 1 have none.
            Usual::Row if self.old_form().is_some() => return None,
            Usual::Row => {
                let count = shape.iter().try_fold(count, |n, &size| n.checked_mul(size));
                (count?, &[][..])
            }
        };
        match self.form {
            Form::Raw => Some(Vec::new()),
            Form::Idx => Some(prefix::idx(self.element.idx()?, count, shape)),
            Form::Npy => Some(prefix::npy(self.element, self.fortran, count, shape)),
            Form::Pnm => None,
        }
    }
}
