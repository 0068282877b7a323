//! Output files that appear whole or not at all.
//!
//! Everything is written beside its final name and renamed once it is complete. A signal removes
//! what is under way.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::{NamedTempFile, TempDir};

/// Temporary files and folders of this process.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// On SIGINT, SIGTERM and SIGHUP removes what is not complete, and exits.
pub(crate) fn clean_up_on_signals() {
    let remove = || {
        let paths = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths.iter() {
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        std::process::exit(1);
    };
    // Without a handler a signal still ends the program; only a temporary file would be left.
    let _ = ctrlc::set_handler(remove);
}

fn remember(path: &Path) {
    TEMPORARY
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(path.to_owned());
}

fn forget(path: &Path) {
    TEMPORARY
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|p| p != path);
}

/// Whether an error comes from writing to a pipe that nobody reads any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|e| {
        let io = e
            .downcast_ref::<io::Error>()
            .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
        // The libraries keep the message of an I/O error, not the error.
        io || e.to_string() == io::Error::from_raw_os_error(BROKEN_PIPE).to_string()
    })
}

#[cfg(windows)]
const BROKEN_PIPE: i32 = 109;
#[cfg(not(windows))]
const BROKEN_PIPE: i32 = 32;

/// Where a result goes.
pub(crate) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A device or a named pipe: written as it is.
    Device(BufWriter<fs::File>),
    /// A file that takes its name when it is complete.
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
        force: bool,
    },
}

impl Output {
    /// Standard output, for binary data.
    ///
    /// # Errors
    /// If it is a terminal.
    pub(crate) fn stdout() -> Result<Self> {
        if io::stdout().is_terminal() {
            bail!("binary data would go to the terminal; redirect it, or name a file with -o");
        }
        Ok(Self::Stdout(BufWriter::new(io::stdout())))
    }

    /// The file `path`; `-` is standard output.
    ///
    /// # Errors
    /// If it exists and `force` is not given, or its folder cannot be written.
    pub(crate) fn create(path: &Path, force: bool) -> Result<Self> {
        if path == Path::new("-") {
            return Self::stdout();
        }
        match fs::metadata(path) {
            Ok(m) if m.is_dir() => bail!("{} is a folder; name a file with -o", path.display()),
            Ok(m) if !m.is_file() => {
                let file = fs::OpenOptions::new().write(true).open(path);
                return Ok(Self::Device(BufWriter::new(
                    file.with_context(|| path.display().to_string())?,
                )));
            }
            Ok(_) => check_free(path, force)?,
            Err(_) => {}
        }
        let file = temporary(0o666)
            .tempfile_in(parent(path))
            .map_err(|e| cannot_write(path, &e))?;
        remember(file.path());
        let file = BufWriter::with_capacity(1 << 16, file);
        Ok(Self::File {
            file,
            path: path.to_owned(),
            force,
        })
    }

    /// The path of what was written so far, to be read again before [`Output::commit`].
    ///
    /// # Errors
    /// If it cannot be written out, or is no file.
    pub(crate) fn written(&mut self) -> Result<PathBuf> {
        match self {
            Self::File { file, .. } => {
                file.flush()?;
                Ok(file.get_ref().path().to_owned())
            }
            _ => bail!("only a file can be read back"),
        }
    }

    /// Completes the output: a file takes its name.
    ///
    /// # Errors
    /// If it cannot be written, or the name was taken meanwhile.
    pub(crate) fn commit(self) -> Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::Device(mut out) => Ok(out.flush()?),
            Self::File { file, path, force } => {
                let file = file
                    .into_inner()
                    .map_err(|e| cannot_write(&path, e.error()))?;
                file.as_file()
                    .sync_all()
                    .map_err(|e| cannot_write(&path, &e))?;
                let temporary = file.path().to_owned();
                let kept = if force {
                    file.persist(&path)
                } else {
                    file.persist_noclobber(&path)
                };
                forget(&temporary);
                kept.map(drop).map_err(|e| cannot_write(&path, &e.error))
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Device(out) => out.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Device(out) => out.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

/// A folder that takes its name when it is complete.
pub(crate) struct OutputFolder {
    folder: TempDir,
    path: PathBuf,
}

impl OutputFolder {
    /// The folder `path`, which must not exist or be empty.
    ///
    /// # Errors
    /// If it is there with something in it, or the folder above cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let empty = fs::read_dir(path).map(|mut entries| entries.next().is_none());
        if path.exists() && !empty.unwrap_or(false) {
            bail!(
                "{} exists and is no empty folder; name another one",
                path.display()
            );
        }
        let folder = temporary(0o777)
            .tempdir_in(parent(path))
            .map_err(|e| cannot_write(path, &e))?;
        remember(folder.path());
        Ok(Self {
            folder,
            path: path.to_owned(),
        })
    }

    /// Where its files are written until it is complete.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// If the name was taken meanwhile.
    pub(crate) fn commit(self) -> Result<()> {
        let _ = fs::remove_dir(&self.path);
        fs::rename(self.folder.path(), &self.path).map_err(|e| cannot_write(&self.path, &e))?;
        forget(self.folder.path());
        // It has gone from its temporary name: there is nothing to remove.
        let _ = self.folder.keep();
        Ok(())
    }
}

/// A folder for temporary files, gone when it is dropped or a signal ends the program.
pub(crate) struct Scratch(TempDir);

impl Scratch {
    /// A new one, where the system keeps such.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("no folder for temporary files")?;
        remember(folder.path());
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        forget(self.0.path());
    }
}

/// An error if `path` is a file or folder that is there and may not be overwritten.
pub(crate) fn check_free(path: &Path, force: bool) -> Result<()> {
    let special = |m: &fs::Metadata| !m.is_file() && !m.is_dir();
    let free =
        force || path.symlink_metadata().is_err() || fs::metadata(path).is_ok_and(|m| special(&m));
    if !free {
        bail!(
            "{} exists; overwrite it with -f, or name another file with -o",
            path.display()
        );
    }
    Ok(())
}

fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bbans-").suffix(".part");
    #[cfg(unix)]
    {
        // As any new file or folder: what the umask leaves.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    // What the temporary file was called is of no use to anyone: the cause within tells enough.
    let cause =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    anyhow!("cannot write {}: {cause}", path.display())
}
