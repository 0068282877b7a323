//! Blocks of models that are written in Python.

use std::cell::RefCell;

use bbans::block::{Coder, Plan, Way};
use bbans::ndarray::Array2;
use bbans::{Codec, Error, LatentModel, Message as Stack, Result};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::codecs::Codec as Native;
use crate::errors::OrRaise;
use crate::message::{Message, borrowed};

/// A model whose three codecs Python makes.
struct PythonModel<'py> {
    model: Bound<'py, PyAny>,
    dims: usize,
    latents: usize,
    posterior_bits: f64,
    raised: RefCell<Option<PyErr>>,
}

impl<'py> PythonModel<'py> {
    fn new(model: Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self {
            dims: model.getattr("dims")?.extract()?,
            latents: model.getattr("latents")?.extract()?,
            posterior_bits: model.getattr("posterior_bits")?.extract()?,
            model,
            raised: RefCell::default(),
        })
    }

    /// Keeps the exception, which is raised in the end.
    fn kept<T>(&self, result: PyResult<T>) -> Result<T> {
        result.map_err(|e| {
            *self.raised.borrow_mut() = Some(e);
            Error::model("the model raised an exception")
        })
    }

    fn codec(&self, codec: PyResult<Bound<'py, PyAny>>) -> Result<PythonCodec<'_, 'py>> {
        Ok(PythonCodec {
            codec: self.kept(codec)?,
            model: self,
        })
    }

    fn result<T>(&self, result: Result<T>) -> PyResult<T> {
        match self.raised.borrow_mut().take() {
            Some(e) => Err(e),
            None => result.or_raise(self.model.py()),
        }
    }
}

/// A codec of Python's.
struct PythonCodec<'a, 'py> {
    codec: Bound<'py, PyAny>,
    model: &'a PythonModel<'py>,
}

impl PythonCodec<'_, '_> {
    /// Lends the stack to Python as a message.
    fn lend<T>(
        &self,
        stack: &mut Stack,
        call: impl FnOnce(&Bound<'_, Message>) -> PyResult<T>,
    ) -> Result<T> {
        let py = self.codec.py();
        let lent = Message {
            stack: std::mem::replace(stack, Stack::new(Vec::new())),
        };
        let called = Bound::new(py, lent).and_then(|message| {
            let called = call(&message);
            let mut lent = borrowed(&message)?;
            std::mem::swap(stack, &mut lent.stack);
            called
        });
        self.model.kept(called)
    }
}

impl Codec for PythonCodec<'_, '_> {
    type Symbol = Array2<u16>;

    fn push(&self, stack: &mut Stack, symbols: &Array2<u16>) -> Result<()> {
        if let Ok(codec) = self.codec.cast::<Native>() {
            return codec.get().push_on(stack, symbols);
        }
        self.lend(stack, |message| {
            let symbols = symbols.clone().into_pyarray(message.py());
            self.codec
                .call_method1("push", (message, symbols))
                .map(drop)
        })
    }

    fn pop(&self, stack: &mut Stack) -> Result<Array2<u16>> {
        if let Ok(codec) = self.codec.cast::<Native>() {
            return codec.get().pop_from(stack);
        }
        self.lend(stack, |message| {
            let symbols = self.codec.call_method1("pop", (message,))?;
            Ok(symbols.cast::<PyArray2<u16>>()?.to_owned_array())
        })
    }
}

impl LatentModel for PythonModel<'_> {
    type X = u16;
    type Z = u16;

    fn dims(&self) -> usize {
        self.dims
    }

    fn latents(&self) -> usize {
        self.latents
    }

    fn posterior_bits(&self) -> f64 {
        self.posterior_bits
    }

    fn prior(&self, lanes: usize) -> Result<impl Codec<Symbol = Array2<u16>>> {
        self.codec(self.model.call_method1("prior_of", (lanes,)))
    }

    fn likelihood(&self, z: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let z = z.clone().into_pyarray(self.model.py());
        self.codec(self.model.call_method1("likelihood", (z,)))
    }

    fn posterior(&self, x: &Array2<u16>) -> Result<impl Codec<Symbol = Array2<u16>>> {
        let x = x.clone().into_pyarray(self.model.py());
        self.codec(self.model.call_method1("posterior", (x,)))
    }
}

/// What a decoder must know of a block: lanes, whitened words, number of data, points, initial words, growth.
type Numbers = (usize, usize, usize, usize, usize, u8);

/// Codes data `[count, dims]` as one block: its words, its numbers, and how much the message grew, in bits.
#[pyfunction]
pub(crate) fn encode_block<'py>(
    py: Python<'py>,
    model: Bound<'py, PyAny>,
    data: PyReadonlyArray2<'py, u16>,
    lanes: usize,
) -> PyResult<(Bound<'py, PyArray1<u32>>, Numbers, f64)> {
    let model = PythonModel::new(model)?;
    let way = Way::plain(lanes).whitened(&model);
    let block = way
        .check()
        .and_then(|()| Coder::new(&model, way).encode_shorter(data.as_array(), 0));
    let block = model.result(block)?;
    let plan = block.plan;
    let numbers = (
        plan.way.lanes,
        plan.way.whitened,
        plan.count,
        plan.points,
        plan.initial_words,
        plan.growth,
    );
    Ok((block.words.into_pyarray(py), numbers, block.net_bits))
}

/// Decodes a block: data `[count, dims]`.
#[pyfunction]
pub(crate) fn decode_block<'py>(
    py: Python<'py>,
    model: Bound<'py, PyAny>,
    words: PyReadonlyArray1<'py, u32>,
    numbers: Numbers,
) -> PyResult<Bound<'py, PyArray2<u16>>> {
    let model = PythonModel::new(model)?;
    let (lanes, whitened, count, points, initial_words, growth) = numbers;
    let way = Way {
        whitened,
        ..Way::plain(lanes)
    };
    let plan = Plan {
        way,
        count,
        points,
        initial_words,
        growth,
    };
    let decoded = Coder::new(&model, way).decode(plan, words.as_array().to_vec());
    Ok(model.result(decoded)?.data.into_pyarray(py))
}
