//! Distributions on the command line.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail};
use bbans_twopart::Pair;

/// A distribution of one draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Family {
    /// Probabilities of the symbols `0..n`.
    Categorical(Vec<f64>),
    Gaussian {
        mean: f64,
        sd: f64,
    },
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let shape =
            || format!("{text:?} is no distribution; expected B(p), C(p, p, ...) or N(mean, sd)");
        let (name, rest) = text.trim().split_once('(').with_context(shape)?;
        let inner = rest.trim().strip_suffix(')').with_context(shape)?;
        let values: Vec<f64> = inner
            .split(',')
            .map(|value| value.trim().parse::<f64>())
            .collect::<std::result::Result<_, _>>()
            .with_context(shape)?;
        if values.iter().any(|v| !v.is_finite()) {
            bail!("{text}: a value is infinite or no number");
        }
        match (name.trim(), values.as_slice()) {
            ("B", [p]) if (0.0..=1.0).contains(p) => Ok(Self::Categorical(vec![1.0 - p, *p])),
            ("B", [p]) => bail!("{text}: a probability of {p}; expected 0 to 1"),
            ("N", [mean, sd]) if *sd > 0.0 => Ok(Self::Gaussian {
                mean: *mean,
                sd: *sd,
            }),
            ("N", [_, sd]) => bail!("{text}: a standard deviation of {sd}; expected more than 0"),
            ("C", probabilities) => {
                if let Some(less) = probabilities.iter().find(|&&p| p < 0.0) {
                    bail!("a probability of {less}; expected 0 or more");
                }
                let sum: f64 = probabilities.iter().sum();
                if (sum - 1.0).abs() > 1e-6 {
                    bail!("the probabilities sum to {sum}; expected 1");
                }
                if probabilities.len() > 1 << 16 {
                    bail!("{} symbols; expected at most 65,536", probabilities.len());
                }
                Ok(Self::Categorical(probabilities.to_vec()))
            }
            _ => bail!(shape()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Categorical(p) if p.len() == 2 => write!(f, "B({})", p[1]),
            Self::Categorical(p) => {
                let values: Vec<String> = p.iter().map(f64::to_string).collect();
                write!(f, "C({})", values.join(", "))
            }
            Self::Gaussian { mean, sd } => write!(f, "N({mean}, {sd})"),
        }
    }
}

/// Bins of a Gaussian on the stack: `2^8`.
const BIN_PRECISION: u32 = 8;

/// `q` and `p` as the coder sees them; Gaussians over 256 bins of equal mass of `p`.
///
/// # Errors
/// If they are of different kinds or sizes, or `q` has support that `p` has not.
pub(super) fn pair(q: &Family, p: &Family) -> Result<Pair> {
    match (q, p) {
        (Family::Gaussian { mean, sd }, Family::Gaussian { mean: m, sd: s }) => {
            Ok(Pair::gaussian((mean - m) / s, sd / s, BIN_PRECISION)?)
        }
        (Family::Categorical(q), Family::Categorical(p)) => Ok(Pair::new(
            &bbans_twopart::masses(q)?,
            &bbans_twopart::masses(p)?,
        )?),
        _ => bail!("q is {q} and p is {p}; expected two of a kind"),
    }
}
