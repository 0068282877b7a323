//! The notebook: a file of one JSON record a line, to which runs append what they found.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::support::machine;

/// The notebook of a project folder: where it is, runs append to it without being told.
pub(crate) const DEFAULT: &str = "bbans-notebook.jsonl";

/// The largest notebook that is read.
const MAX_BYTES: u64 = 1 << 30;

/// A notebook to append to.
#[derive(Debug, Clone)]
pub(crate) struct Notebook {
    path: PathBuf,
}

/// Where to keep a record of the run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NotebookArgs {
    /// Append a record of this run to FILE [default: bbans-notebook.jsonl, if it is here]
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) notebook: Option<PathBuf>,
}

impl NotebookArgs {
    /// The notebook, if one was named or lies in the folder. One that cannot be written is found
    /// out now.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(crate) fn open(&self) -> Result<Option<Notebook>> {
        let here = Path::new(DEFAULT);
        let path = match &self.notebook {
            Some(path) => path,
            None if here.is_file() => here,
            None => return Ok(None),
        };
        let notebook = Notebook {
            path: path.to_owned(),
        };
        if path.exists() {
            notebook.check()?;
            notebook.append_text("")?;
        } else {
            let folder = path.parent().filter(|f| *f != Path::new(""));
            tempfile::tempfile_in(folder.unwrap_or(Path::new(".")))
                .with_context(|| format!("cannot write the notebook {}", path.display()))?;
        }
        Ok(Some(notebook))
    }
}

impl Notebook {
    /// A file that is there is a notebook: its first line is a record, or it has none.
    fn check(&self) -> Result<()> {
        let open = || format!("cannot read the notebook {}", self.path.display());
        let file = File::open(&self.path).with_context(open)?;
        let mut line = Vec::new();
        BufReader::new(file.take(MAX_BYTES))
            .read_until(b'\n', &mut line)
            .with_context(open)?;
        let record = serde_json::from_slice::<Value>(&line);
        if line.is_empty() || record.is_ok_and(|record| record["kind"].is_string()) {
            return Ok(());
        }
        bail!(
            "{} is no notebook: its first line is no record of a run; name another file with --notebook",
            self.path.display()
        )
    }

    /// Appends a record of `kind`: date, command, version, machine, and `content`'s fields.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn append(&self, kind: &str, content: Value) -> Result<()> {
        let mut record = json!({
            "kind": kind,
            "date": humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            "command": std::env::args().skip(1).collect::<Vec<_>>(),
            "version": env!("CARGO_PKG_VERSION"),
            "revision": option_env!("BBANS_REVISION"),
            "machine": machine::describe(),
        });
        if let (Some(record), Value::Object(fields)) = (record.as_object_mut(), content) {
            record.extend(fields);
        }
        self.append_text(&format!("{record}\n"))
    }

    /// In one write: records of runs side by side do not mix.
    fn append_text(&self, text: &str) -> Result<()> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write the notebook {}", self.path.display()))
    }
}

/// The records of a notebook, with the numbers of their lines, from 1.
///
/// # Errors
/// If it cannot be read, or a line is not a record.
pub(crate) fn read(path: &Path) -> Result<Vec<(usize, Value)>> {
    let name = path.display();
    let size = fs::metadata(path).with_context(|| {
        format!("no notebook {name}; `bbans bench --notebook {name}` begins one")
    })?;
    if size.len() > MAX_BYTES || !size.is_file() {
        bail!("{name}: not a notebook of at most 1 GiB");
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let mut records = Vec::new();
    for (i, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let record: Value = serde_json::from_str(line)
            .with_context(|| format!("{name}, line {}: not a record", i + 1))?;
        if !record.is_object() {
            bail!("{name}, line {}: not a record but {record}", i + 1);
        }
        records.push((i + 1, record));
    }
    Ok(records)
}
