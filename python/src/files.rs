//! Data files to bbans files, and back.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bbans::container::Header;
use bbans::data::{Element, Form, Layout, Target};
use bbans::nn::packed::MAGIC;
use bbans::{DataReader, Error, Memory, Options, Report, Result, VaeModel};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::OrRaise;
use crate::model::{Model, hexadecimal, taken};
use crate::streams::{ArrayBytes, FileObject, Watch};
use crate::symbols::npy_file;

/// Where bytes come from.
#[derive(FromPyObject)]
pub(crate) enum Source<'py> {
    /// A path.
    Path(PathBuf),
    /// Bytes in an array.
    Bytes(Bound<'py, PyArray1<u8>>),
    /// An array as an .npy file: its header, and its values.
    Array(Vec<u8>, Bound<'py, PyArray1<u8>>),
    /// A file object.
    Object(Bound<'py, PyAny>),
}

/// A stream that can go to another thread.
type Input = Box<dyn Read + Send>;

impl Source<'_> {
    fn open(self, watch: &Watch) -> Result<Input> {
        Ok(match self {
            Self::Path(path) => Box::new(opened(&path)?),
            Self::Bytes(bytes) => Box::new(ArrayBytes::new(bytes.unbind())),
            Self::Array(header, values) => Box::new(npy_file(header, values.unbind())),
            Self::Object(object) => Box::new(FileObject {
                object: object.unbind(),
                watch: watch.clone(),
            }),
        })
    }
}

fn opened(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| Error::from(e).context(path.display()))
}

/// How to compress, as Python says it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Coding {
    lanes: usize,
    threads: Option<NonZeroUsize>,
    particles: usize,
    unordered: bool,
    independent: bool,
    block: Option<NonZeroUsize>,
}

impl Coding {
    fn options(self) -> Options {
        let Self {
            lanes,
            threads,
            particles,
            unordered,
            independent,
            block,
        } = self;
        let usual = Options::default();
        Options {
            lanes,
            threads: threads.unwrap_or(usual.threads),
            particles,
            unordered,
            independent,
            block,
            ..usual
        }
    }
}

/// What a file consists of: data, their dimensions, bytes of the input and of the file.
type Told = (u64, usize, u64, u64);

fn told(report: &Report) -> Told {
    (
        report.count,
        report.dims,
        report.input_bytes,
        report.file_bytes,
    )
}

/// Compresses what `source` gives to `output`, a file object or a path, or to bytes.
#[pyfunction]
#[pyo3(signature = (model, source, output, coding, raw, progress))]
pub(crate) fn compress<'py>(
    py: Python<'py>,
    model: &Model,
    source: Source<'py>,
    output: Option<Bound<'py, PyAny>>,
    coding: Coding,
    raw: Option<(Vec<usize>, String)>,
    progress: Option<Py<PyAny>>,
) -> PyResult<(Option<Bound<'py, PyBytes>>, Told)> {
    let watch = Watch::new(progress);
    let memory = Memory::default();
    let out = output.as_ref().map(|output| written(output, &watch));
    let out = out.transpose().or_raise(py)?;
    let mut out = out.unwrap_or_else(|| Box::new(memory.clone()));
    let name = match &source {
        Source::Path(path) => path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        _ => "data.png".to_owned(),
    };
    let folder = match &source {
        Source::Path(path) if path.is_dir() => Some(path.clone()),
        _ => None,
    };
    let options = coding.options();
    let input = match folder {
        Some(_) => Box::new(std::io::empty()),
        None => source.open(&watch).or_raise(py)?,
    };
    let compressed = py.detach(|| {
        let mut progress = |count| watch.tell(count);
        let input = watch.over(input);
        let reader = match (folder, raw) {
            (Some(folder), _) => DataReader::open_folder(&folder)?,
            (None, Some((shape, dtype))) => {
                DataReader::raw(input, shape, Element::of_name(&dtype)?)?
            }
            (None, None) => DataReader::open(input, &name)?,
        };
        let mut watched = watch.over(&mut out);
        let report = bbans::compress(&*model.model, reader, &mut watched, options, &mut progress)?;
        watched.flush()?;
        Ok::<_, Error>(report)
    });
    let report = watch.result(compressed.or_raise(py))?;
    let bytes = output.is_none().then(|| PyBytes::new(py, &memory.take()));
    Ok((bytes, told(&report)))
}

/// A path or a file object to write to.
fn written(output: &Bound<'_, PyAny>, watch: &Watch) -> Result<Box<dyn Write + Send>> {
    Ok(match output.extract::<PathBuf>() {
        Ok(path) => {
            let file = File::create(&path).map_err(|e| Error::from(e).context(path.display()))?;
            Box::new(BufWriter::with_capacity(1 << 16, file))
        }
        Err(_) => Box::new(FileObject {
            object: output.clone().unbind(),
            watch: watch.clone(),
        }),
    })
}

/// What is known of a file from its header.
fn facts<'py>(py: Python<'py>, header: &Header) -> PyResult<Bound<'py, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item("version", header.version)?;
    facts.set_item("model", &header.model_name)?;
    facts.set_item("fingerprint", hexadecimal(header.known_fingerprint()))?;
    facts.set_item("built_in", Model::built_in(|f| header.is_of(f)))?;
    // As a model file of its own.
    let carried = header.model.as_ref();
    let carried = carried.map(|model| [&MAGIC[..], model].concat());
    facts.set_item("carried", carried.map(|model| PyBytes::new(py, &model)))?;
    facts.set_item("kind", header.source.kind())?;
    facts.set_item("shape", &header.source.shape)?;
    facts.set_item("element", header.source.element().name())?;
    if let Layout::Array(array) = &header.source.layout {
        facts.set_item("prefix", array.prefix.len())?;
        facts.set_item("fortran", array.fortran)?;
        facts.set_item("npy", array.form == Form::Npy)?;
    }
    Ok(facts)
}

/// What is known of a file from its first header.
#[pyfunction]
pub(crate) fn header<'py>(py: Python<'py>, source: Source<'py>) -> PyResult<Bound<'py, PyDict>> {
    let watch = Watch::new(None);
    let input = source.open(&watch).or_raise(py)?;
    let header = py.detach(|| Header::read(&mut BufReader::new(input))?.ok_or_else(empty));
    facts(py, &watch.result(header.or_raise(py))?)
}

fn empty() -> Error {
    Error::corruption("an empty file; expected one that bbans wrote")
}

/// A member in memory: the bytes of its data file, and what is known of it.
type Member<'py> = (Bound<'py, PyArray1<u8>>, Bound<'py, PyDict>, u64);

/// Decompresses in memory, member by member. `model_of` gives the model of a header's facts.
#[pyfunction]
pub(crate) fn decompress<'py>(
    py: Python<'py>,
    source: Source<'py>,
    model_of: Bound<'py, PyAny>,
    threads: Option<NonZeroUsize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Member<'py>>> {
    let mut found = Vec::new();
    members(py, source, &model_of, progress, |member, header, watch| {
        let (facts, memory) = (facts(py, header)?, Memory::default());
        let target = Target::Stream(Box::new(watch.over(memory.clone())));
        let count = member.restore(py, header, target, threads, watch)?;
        found.push((taken(py, &memory), facts, count));
        Ok(())
    })?;
    Ok(found)
}

/// Decompresses to a path, which becomes a file or a folder, or to a file object; gives the number of data.
#[pyfunction]
pub(crate) fn restore<'py>(
    py: Python<'py>,
    source: Source<'py>,
    output: Bound<'py, PyAny>,
    model_of: Bound<'py, PyAny>,
    threads: Option<NonZeroUsize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<u64> {
    let (mut count, mut stream) = (0, None);
    members(py, source, &model_of, progress, |member, header, watch| {
        let folder = matches!(&header.source.layout, Layout::Png(pictures) if !pictures.single);
        let target = match (folder, output.extract::<PathBuf>()) {
            (true, Ok(path)) => {
                std::fs::create_dir(&path)
                    .map_err(Error::from)
                    .or_raise(py)?;
                Target::Folder(path)
            }
            _ => {
                let shared = match stream.take() {
                    Some(shared) => shared,
                    None => Shared::new(written(&output, watch).or_raise(py)?),
                };
                stream = Some(shared.clone());
                Target::Stream(Box::new(watch.over(shared)))
            }
        };
        count += member.restore(py, header, target, threads, watch)?;
        Ok(())
    })?;
    if let Some(mut stream) = stream {
        py.detach(|| stream.flush())
            .map_err(Error::from)
            .or_raise(py)?;
    }
    Ok(count)
}

/// One stream that the members of a file are written to in turn.
#[derive(Clone)]
struct Shared(std::sync::Arc<std::sync::Mutex<Box<dyn Write + Send>>>);

impl Shared {
    fn new(stream: Box<dyn Write + Send>) -> Self {
        Self(std::sync::Arc::new(std::sync::Mutex::new(stream)))
    }

    fn stream(&self) -> std::sync::MutexGuard<'_, Box<dyn Write + Send>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stream().flush()
    }
}

/// A member's model, and the stream after its header.
struct OfMember<'a> {
    model: std::sync::Arc<VaeModel>,
    input: &'a mut (dyn Read + Send),
}

impl OfMember<'_> {
    fn restore(
        self,
        py: Python<'_>,
        header: &Header,
        target: Target,
        threads: Option<NonZeroUsize>,
        watch: &Watch,
    ) -> PyResult<u64> {
        let Self { model, mut input } = self;
        let threads = threads.unwrap_or(Options::default().threads);
        let restored = py.detach(|| {
            let writer = bbans::writer(&*model, header, target)?;
            let mut progress = |count| watch.tell(count);
            bbans::decompress(&*model, header, &mut input, writer, threads, &mut progress)
        });
        Ok(watch.result(restored.or_raise(py))?.count)
    }
}

/// Calls `each` for every member of a file.
fn members<'py>(
    py: Python<'py>,
    source: Source<'py>,
    model_of: &Bound<'py, PyAny>,
    progress: Option<Py<PyAny>>,
    mut each: impl FnMut(OfMember<'_>, &Header, &Watch) -> PyResult<()>,
) -> PyResult<()> {
    let watch = Watch::new(progress);
    let mut input: Input = Box::new(BufReader::with_capacity(
        1 << 16,
        watch.over(source.open(&watch).or_raise(py)?),
    ));
    let mut first = true;
    loop {
        let header = watch.result(py.detach(|| Header::read(&mut input)).or_raise(py))?;
        let Some(header) = header else {
            return match first {
                true => Err(empty()).or_raise(py),
                false => Ok(()),
            };
        };
        first = false;
        let model = model_of.call1((facts(py, &header)?,))?;
        let model = model.cast::<Model>()?.get().model.clone();
        let member = OfMember {
            model,
            input: &mut input,
        };
        each(member, &header, &watch)?;
    }
}
