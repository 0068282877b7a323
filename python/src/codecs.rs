//! Codecs over arrays `[lanes, dims]`.

use std::ops::Range;
use std::sync::Arc;

use bbans::distributions::{
    self, Bernoulli, Categorical, Tables, Tabulated, conditional_bins as conditional,
    gaussian_bins as gaussian, uniform_bins as uniform,
};
use bbans::ndarray::{Array2, ArrayView2, Axis};
use bbans::nn::bins::{CENTRES, EDGES, insert_standard_normal};
use bbans::nn::simd::Path;
use bbans::nn::{Likelihood, math};
use bbans::{Codec as _, Error, Independent, LatentModel, Message as Stack, Result, VaeModel};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2, PyReadonlyArray3};
use pyo3::prelude::*;

use crate::errors::OrRaise;
use crate::message::{self, Message};
use crate::symbols::turned;

/// A codec whose symbols are numbers below 65,536, `[lanes, dims]`.
trait Symbols: Send + Sync {
    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()>;
    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>>;
}

/// Codecs of the library that own what they need.
struct Owned<C>(C);

impl<C: bbans::Codec<Symbol = Array2<u16>> + Send + Sync> Symbols for Owned<C> {
    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        Path::detect().vectorize(
            #[inline(always)]
            || self.0.push(stack, symbols),
        )
    }

    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        Path::detect().vectorize(
            #[inline(always)]
            || self.0.pop(stack),
        )
    }
}

/// A pair of push and pop.
#[pyclass(frozen, module = "bbans._bbans")]
pub(crate) struct Codec(Box<dyn Symbols>);

impl Codec {
    pub(crate) fn new(part: OfModel) -> Self {
        Self(Box::new(part))
    }

    fn owned(codec: impl bbans::Codec<Symbol = Array2<u16>> + Send + Sync + 'static) -> Self {
        Self(Box::new(Owned(codec)))
    }

    pub(crate) fn push_on(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        self.0.push(stack, symbols)
    }

    pub(crate) fn pop_from(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        self.0.pop(stack)
    }
}

#[pymethods]
impl Codec {
    fn push(
        &self,
        py: Python<'_>,
        message: &Bound<'_, Message>,
        symbols: PyReadonlyArray2<'_, u16>,
    ) -> PyResult<()> {
        let symbols = symbols.as_array().to_owned();
        let mut message = message::borrowed(message)?;
        let stack = &mut message.stack;
        py.detach(|| self.0.push(stack, &symbols)).or_raise(py)
    }

    fn pop<'py>(
        &self,
        py: Python<'py>,
        message: &Bound<'py, Message>,
    ) -> PyResult<Bound<'py, PyArray2<u16>>> {
        let mut message = message::borrowed(message)?;
        let stack = &mut message.stack;
        let symbols = py.detach(|| self.0.pop(stack)).or_raise(py)?;
        Ok(symbols.into_pyarray(py))
    }
}

/// One of the three codecs of a model.
pub(crate) struct OfModel {
    pub(crate) model: Arc<VaeModel>,
    pub(crate) part: Part,
}

pub(crate) enum Part {
    Prior(usize),
    Likelihood(Array2<u16>),
    Posterior(Array2<u16>),
}

impl Symbols for OfModel {
    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        match &self.part {
            Part::Prior(lanes) => self.model.prior(*lanes)?.push(stack, symbols),
            Part::Likelihood(z) => self.model.likelihood(z)?.push(stack, symbols),
            Part::Posterior(x) => self.model.posterior(x)?.push(stack, symbols),
        }
    }

    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        match &self.part {
            Part::Prior(lanes) => self.model.prior(*lanes)?.pop(stack),
            Part::Likelihood(z) => self.model.likelihood(z)?.pop(stack),
            Part::Posterior(x) => self.model.posterior(x)?.pop(stack),
        }
    }
}

/// Independent symbols of these distributions, `[lanes, dims]`.
fn independent<A: Copy, D: Send + Sync + 'static>(
    values: ArrayView2<'_, A>,
    distribution: impl Fn(A) -> D,
) -> Codec
where
    Independent<Array2<D>>: bbans::Codec<Symbol = Array2<u16>>,
{
    let (lanes, dims) = values.dim();
    Codec::owned(Independent::new(lanes, dims, |l, d| {
        distribution(values[(l, d)])
    }))
}

/// Bits that are 1 with these probabilities, each rounded down to a whole number of `2^-24`.
#[pyfunction]
pub(crate) fn bernoulli(py: Python<'_>, p: PyReadonlyArray2<'_, f64>) -> PyResult<Codec> {
    let p = p.as_array();
    if let Some(p) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::invalid_argument(format!(
            "a probability {p}; expected 0 to 1"
        )))
        .or_raise(py);
    }
    let total = f64::from(1u32 << 24);
    Ok(independent(p, |p| Bernoulli::new((p * total) as u32)))
}

/// Bits with these logits, by the arithmetic of model files.
#[pyfunction]
pub(crate) fn bernoulli_logits(
    py: Python<'_>,
    logits: PyReadonlyArray2<'_, f32>,
) -> PyResult<Codec> {
    let logits = logits.as_array();
    finite(logits.iter(), "logit").or_raise(py)?;
    let logits = logits.as_standard_layout();
    let mut masses = Array2::zeros(logits.dim());
    Path::detect().vectorize(
        #[inline(always)]
        || {
            let values = logits.as_slice().unwrap_or_default();
            let found = masses.as_slice_mut().unwrap_or_default();
            for (mass, &logit) in found.iter_mut().zip(values) {
                *mass = math::bernoulli_mass(logit);
            }
        },
    );
    Ok(independent(masses.view(), Bernoulli::new))
}

/// Symbols with these weights, `[lanes, dims, symbols]`.
#[pyfunction]
pub(crate) fn categorical(py: Python<'_>, weights: PyReadonlyArray3<'_, f64>) -> PyResult<Codec> {
    let weights = weights.as_array();
    let (lanes, dims, _) = weights.dim();
    let mut all = Vec::with_capacity(lanes * dims);
    for d in 0..dims {
        for of_lane in weights.axis_iter(Axis(0)) {
            let weights: Vec<f64> = of_lane.row(d).to_vec();
            let one = Categorical::from_weights(&weights).and_then(Categorical::over::<u16>);
            all.push(one.or_raise(py)?);
        }
    }
    let all = Array2::from_shape_vec((dims, lanes), all).map_err(Error::invalid_argument);
    Ok(Codec::owned(Independent(all.or_raise(py)?)))
}

/// Bins of equal mass of a standard normal distribution.
#[pyclass(frozen, module = "bbans._bbans")]
pub(crate) struct Bins {
    bins: Arc<distributions::Bins>,
    edges: Vec<f32>,
    centres: Vec<f32>,
}

#[pymethods]
impl Bins {
    #[new]
    fn new(py: Python<'_>, precision: u32) -> PyResult<Self> {
        if !(1..=16).contains(&precision) {
            let what = format!("2^{precision} bins; expected a precision of 1 to 16");
            return Err(Error::invalid_argument(what)).or_raise(py);
        }
        let mut tensors = std::collections::BTreeMap::new();
        insert_standard_normal(&mut tensors, precision).or_raise(py)?;
        let mut take = |name| tensors.remove(name).map(|t| t.values).unwrap_or_default();
        let (edges, centres) = (take(EDGES), take(CENTRES));
        let bins = Arc::new(distributions::Bins::new(&edges).or_raise(py)?);
        Ok(Self {
            bins,
            edges,
            centres,
        })
    }

    #[getter]
    fn edges<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        self.edges.clone().into_pyarray(py)
    }

    #[getter]
    fn centres<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f32>> {
        self.centres.clone().into_pyarray(py)
    }
}

/// Gaussians over bins, of these means and inverse standard deviations, `[dims, lanes]` each.
struct Gaussians {
    bins: Arc<distributions::Bins>,
    mean: Array2<f32>,
    inverse_sigma: Array2<f32>,
    /// Whether every bin keeps a mass.
    conditional: bool,
}

impl Symbols for Gaussians {
    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        let Self {
            bins,
            mean,
            inverse_sigma,
            conditional: every,
        } = self;
        match every {
            true => conditional(bins, mean, inverse_sigma)?.push(stack, symbols),
            false => gaussian(bins, mean, inverse_sigma)?.push(stack, symbols),
        }
    }

    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        let Self {
            bins,
            mean,
            inverse_sigma,
            conditional: every,
        } = self;
        match every {
            true => conditional(bins, mean, inverse_sigma)?.pop(stack),
            false => gaussian(bins, mean, inverse_sigma)?.pop(stack),
        }
    }
}

impl Gaussians {
    fn codec(
        bins: &Bins,
        mean: ArrayView2<'_, f32>,
        sigma: ArrayView2<'_, f32>,
        conditional: bool,
    ) -> Result<Codec> {
        finite(mean.iter(), "mean")?;
        if let Some(sigma) = sigma
            .iter()
            .find(|s| !(s.is_normal() && s.is_sign_positive()))
        {
            return Err(Error::invalid_argument(format!(
                "a standard deviation {sigma}; expected a positive number"
            )));
        }
        Ok(Codec(Box::new(Self {
            bins: bins.bins.clone(),
            mean: turned(mean),
            inverse_sigma: turned(sigma).mapv(|s| 1.0 / s),
            conditional,
        })))
    }
}

/// Bin numbers under these Gaussians: as a posterior, where a bin may have no mass, or as a prior given other latents, which
/// is `conditional` and has some in every bin.
#[pyfunction]
pub(crate) fn gaussian_bins(
    py: Python<'_>,
    bins: &Bins,
    mean: PyReadonlyArray2<'_, f32>,
    sigma: PyReadonlyArray2<'_, f32>,
    conditional: bool,
) -> PyResult<Codec> {
    Gaussians::codec(bins, mean.as_array(), sigma.as_array(), conditional).or_raise(py)
}

/// Numbers below `2^precision`, all equally probable.
#[pyfunction]
pub(crate) fn uniform_bins(
    py: Python<'_>,
    lanes: usize,
    dims: usize,
    precision: u32,
) -> PyResult<Codec> {
    if lanes.saturating_mul(dims) > 1 << 30 {
        let what = format!("{lanes} lanes of {dims} symbols; expected at most 2^30 in all");
        return Err(Error::invalid_argument(what)).or_raise(py);
    }
    Ok(Codec::owned(uniform(lanes, dims, precision).or_raise(py)?))
}

/// Symbols of a likelihood of tables, with parameters `[dims, parameters, lanes]`.
struct OfParameters {
    likelihood: Likelihood,
    path: Path,
    dims: usize,
    lanes: usize,
    values: Vec<f32>,
}

impl Tables for &OfParameters {
    fn dim(&self) -> (usize, usize) {
        (self.dims, self.lanes)
    }

    fn parameters(&self) -> usize {
        self.likelihood.parameters()
    }

    fn levels(&self) -> usize {
        self.likelihood.levels()
    }

    fn prepare(&self, dims: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let each = self.likelihood.parameters() * self.lanes;
        let values = self.values.get(dims.start * each..dims.end * each);
        out.clear();
        out.extend_from_slice(values.unwrap_or_default());
        Ok(())
    }

    fn starts(&self, parameters: &[f32], starts: &mut [u32]) -> Result<()> {
        self.likelihood.starts(self.path, parameters, starts)
    }
}

impl Symbols for OfParameters {
    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        Tabulated(self).push(stack, symbols)
    }

    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        Tabulated(self).pop(stack)
    }
}

/// Symbols of a likelihood of model files, as its description has it, by the arithmetic of model files: parameters
/// `[lanes, dims, parameters]`.
#[pyfunction]
pub(crate) fn likelihood(
    py: Python<'_>,
    description: &str,
    parameters: PyReadonlyArray3<'_, f32>,
) -> PyResult<Codec> {
    let parsed: Result<Likelihood> =
        serde_json::from_str(description).map_err(Error::invalid_argument);
    let likelihood = parsed.or_raise(py)?;
    let parameters = parameters.as_array();
    let (lanes, dims, each) = parameters.dim();
    let check = || {
        likelihood.kind().check()?;
        likelihood.starts(Path::detect(), &[], &mut [])?;
        if each != likelihood.parameters() {
            return Err(Error::invalid_argument(format!(
                "{each} parameters of a dimension; expected {}",
                likelihood.parameters()
            )));
        }
        finite(parameters.iter(), "parameter")
    };
    check().or_raise(py)?;
    Ok(Codec(Box::new(OfParameters {
        likelihood,
        path: Path::detect(),
        dims,
        lanes,
        values: parameters
            .permuted_axes([1, 2, 0])
            .iter()
            .copied()
            .collect(),
    })))
}

fn finite<'a>(mut values: impl Iterator<Item = &'a f32>, what: &str) -> Result<()> {
    match values.find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::invalid_argument(format!(
            "a {what} {value}; expected a finite number"
        ))),
    }
}
