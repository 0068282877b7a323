//! Files of values without a header: what the command line says of them.

use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use bbans::data::Element;

/// The option.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RawArg {
    /// The data are raw values without a header: the shape of a datum and their type, such as 32x32x3,u8 or 360,i16be
    #[arg(long, value_name = "SHAPE,TYPE")]
    pub(crate) raw: Option<RawSpec>,
}

/// Shape of a datum and type of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawSpec {
    pub(crate) shape: Shape,
    pub(crate) element: Element,
}

/// A shape: `32x32x3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape(pub(crate) Vec<usize>);

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let size = |size: &str| -> Result<usize> {
            match size.trim().parse() {
                Ok(0) | Err(_) => {
                    bail!("a size {size:?}; expected numbers with x between them, such as 32x32x3")
                }
                Ok(size) => Ok(size),
            }
        };
        text.split('x').map(size).collect::<Result<_>>().map(Self)
    }
}

impl FromStr for RawSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once(',');
        let (shape, element) = parts.context("expected SHAPE,TYPE, such as 32x32x3,u8")?;
        Ok(Self {
            shape: shape.parse()?,
            element: Element::of_name(element.trim())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_types_are_read() {
        let spec: RawSpec = "32x32x3,u16be".parse().unwrap();
        assert_eq!(spec.shape.0, [32, 32, 3]);
        assert_eq!(spec.element.name(), "u16be");
        for text in ["", "3", "3,u3", "0,u8", "3x,u8", "x3,u8", "-1,u8", "3;u8"] {
            assert!(text.parse::<RawSpec>().is_err(), "{text}");
        }
    }
}
