//! What data tell of themselves before they are trained on.

use bbans_nn::description::Values;

use crate::dataset::Dataset;

/// What a description's placeholders stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Shape of one datum.
    pub shape: Vec<usize>,
    /// Number of symbols of a value: one more than the greatest.
    pub levels: usize,
    /// What the symbols stand for.
    pub values: Values,
}

impl Facts {
    /// Of data whose symbols are the numbers themselves.
    pub fn new(shape: &[usize], levels: usize) -> Self {
        Self {
            shape: shape.to_vec(),
            levels,
            values: Values::default(),
        }
    }
}

/// The values that one symbol of a position has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymbolFacts {
    /// Number of symbols.
    pub levels: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The symbol that is there most often.
    pub frequent: usize,
    /// Its part of all.
    pub share: f64,
}

impl SymbolFacts {
    /// Of every symbol of a position, of `count` symbols a position; `levels` has their numbers of levels, where they are
    /// known.
    pub fn of(data: &Dataset, count: usize, levels: Option<&[usize]>) -> Vec<Self> {
        let of_symbol = |i: usize| {
            let mut counts = vec![0u64; 1 << 16];
            for &symbol in data.symbols().iter().skip(i).step_by(count) {
                counts[usize::from(symbol)] += 1;
            }
            let greatest = counts.iter().rposition(|&n| n > 0).unwrap_or(0);
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let moment = |f: &dyn Fn(f64) -> f64| {
                let terms = counts.iter().enumerate();
                terms.map(|(s, &n)| f(s as f64) * n as f64).sum::<f64>() / total
            };
            let mean = moment(&|s| s);
            let variance = moment(&|s| (s - mean) * (s - mean));
            let most = counts.iter().enumerate().max_by_key(|(_, n)| **n);
            let (frequent, n) = most.unwrap_or((0, &0));
            Self {
                levels: levels
                    .and_then(|l| l.get(i))
                    .copied()
                    .unwrap_or(greatest + 1),
                mean,
                deviation: variance.sqrt(),
                frequent,
                share: *n as f64 / total,
            }
        };
        (0..count).map(of_symbol).collect()
    }
}
