//! Output files that appear whole or not at all.
//!
//! Everything is written beside its final name and renamed once it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow, bail};

use super::origin::handle;
use super::stdio::stdout_is_closed;
use super::temporary::Temporary;
use super::{Origin, Protected, is_dash};

/// Whether standard output holds a part of what is being written to it.
static STDOUT_IS_TORN: AtomicBool = AtomicBool::new(false);

/// Whether standard output ends within a result, which nothing can follow.
pub(super) fn stdout_is_torn() -> bool {
    STDOUT_IS_TORN.load(Ordering::Relaxed)
}

/// Where a result goes.
pub(crate) enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A device or a named pipe: written as it is.
    Device(BufWriter<File>),
    /// A file that takes its name when it is complete.
    File(NewFile),
}

/// A file without its name.
pub(crate) struct NewFile {
    out: BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
    force: bool,
    protected: Protected,
    like: Option<Origin>,
}

/// What an output has become.
pub(crate) enum Committed {
    /// A regular file or a folder, which a loss of power would not undo.
    Durable(Durable),
    /// Nothing of the kind, and why.
    Passing(String),
}

/// The proof of it, which nothing but [`Output::commit`] and [`OutputFolder::commit`] gives.
pub(crate) struct Durable(());

impl Committed {
    /// The proof that the output lasts.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn durable(self) -> Result<Durable> {
        match self {
            Self::Durable(durable) => Ok(durable),
            Self::Passing(why) => bail!("the input was not removed: {why}"),
        }
    }
}

impl Output {
    /// Standard output, for binary data.
    ///
    /// # Errors
    /// If it is a terminal, closed, or one of `protected`.
    fn stdout(protected: &Protected) -> Result<Self> {
        if io::stdout().is_terminal() {
            bail!("binary data would go to the terminal; redirect it, or name a file with -o");
        }
        if stdout_is_closed() {
            bail!(
                "standard output is closed, or not open for writing alone: nothing would be kept; \
                 redirect it, or name a file with -o"
            );
        }
        // The path leads to the file that it was redirected to.
        protected.check(Path::new("/dev/stdout"))?;
        Ok(Self::Stdout(BufWriter::new(io::stdout())))
    }

    /// The file `path`, with mode and times of `like`; `-` is standard output.
    ///
    /// # Errors
    /// If it exists and `force` is not given, is one of `protected`, or its folder cannot be written.
    pub(crate) fn create(
        path: &Path,
        force: bool,
        protected: &Protected,
        like: Option<&Origin>,
    ) -> Result<Self> {
        if is_dash(path) {
            return Self::stdout(protected);
        }
        check_free(path, force, protected)?;
        // A link stays one: the file that it leads to is written.
        let target = path.canonicalize().ok().filter(|_| path.is_symlink());
        let path = target.as_deref().unwrap_or(path);
        if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
            let file = fs::OpenOptions::new().write(true).open(path);
            let file = file.map_err(|e| cannot_write(path, e))?;
            return Ok(Self::Device(BufWriter::new(file)));
        }
        let like = like.filter(|like| like.is_kept()).cloned();
        // What follows another file's mode is nobody else's until it is complete.
        let mode = if like.is_some() { 0o600 } else { 0o666 };
        let made = Temporary::file(parent(path), mode);
        let (temporary, file) = made.map_err(|e| cannot_write(path, e))?;
        Ok(Self::File(NewFile {
            out: BufWriter::with_capacity(1 << 16, file),
            temporary,
            path: path.to_owned(),
            force,
            protected: protected.clone(),
            like,
        }))
    }

    /// The path of what was written so far, to be read again before [`Output::commit`].
    ///
    /// # Errors
    /// If it cannot be written out, or is no file.
    pub(crate) fn written(&mut self) -> Result<PathBuf> {
        match self {
            Self::File(new) => {
                new.out.flush().map_err(|e| cannot_write(&new.path, e))?;
                Ok(new.temporary.path().to_owned())
            }
            _ => bail!("only a file can be read back"),
        }
    }

    /// Completes the output: a file takes its name, and is protected itself from then on.
    ///
    /// # Errors
    /// If it cannot be written, or the name was taken meanwhile.
    pub(crate) fn commit(self) -> Result<Committed> {
        match self {
            Self::Stdout(mut out) => {
                out.flush()?;
                STDOUT_IS_TORN.store(false, Ordering::Relaxed);
            }
            Self::Device(mut out) => out.flush()?,
            Self::File(new) => return new.commit(),
        }
        Ok(Committed::Passing("the output is no file".to_owned()))
    }
}

impl NewFile {
    fn commit(self) -> Result<Committed> {
        let Self {
            out,
            temporary,
            path,
            force,
            protected,
            like,
        } = self;
        let cannot = |e: io::Error| cannot_write(&path, e);
        let file = out.into_inner().map_err(|e| cannot(e.into_error()))?;
        if let Some(like) = like {
            like.apply(temporary.path());
        }
        file.sync_all().map_err(cannot)?;
        temporary.persist(&path, force).map_err(cannot)?;
        protected.add(&path);
        Ok(named(&path))
    }
}

/// What an output is that has just taken its name and was synced itself.
fn named(path: &Path) -> Committed {
    match sync_folder(parent(path)) {
        Ok(()) => Committed::Durable(Durable(())),
        Err(e) => Committed::Passing(format!(
            "the folder of {} cannot be synced: {e}",
            path.display()
        )),
    }
}

/// Writes a folder's entries out to the disk.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    handle(path)?.sync_all()
}

/// Elsewhere a folder cannot be opened as a file.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => {
                STDOUT_IS_TORN.fetch_or(!bytes.is_empty(), Ordering::Relaxed);
                out.write(bytes)
            }
            Self::Device(out) => out.write(bytes),
            Self::File(new) => new.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Device(out) => out.flush(),
            Self::File(new) => new.out.flush(),
        }
    }
}

/// A folder that takes its name when it is complete.
pub(crate) struct OutputFolder {
    temporary: Temporary,
    path: PathBuf,
    like: Option<Origin>,
    durable: bool,
}

impl OutputFolder {
    /// The folder `path`, which must not exist or be empty, with mode and times of `like`, which its
    /// files have too. Files are synced one by one, which takes its time, if it is to be `durable`.
    ///
    /// # Errors
    /// If it is there with something in it, or the folder above cannot be written.
    pub(crate) fn create(path: &Path, like: Option<&Origin>, durable: bool) -> Result<Self> {
        let empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        if path.symlink_metadata().is_ok() && (!empty || path.is_symlink()) {
            bail!(
                "{} exists and is no empty folder; name another one",
                path.display()
            );
        }
        let like = like.filter(|like| like.is_kept()).cloned();
        let mode = if like.is_some() { 0o700 } else { 0o777 };
        let temporary = Temporary::folder(parent(path), mode).map_err(|e| cannot_write(path, e))?;
        Ok(Self {
            temporary,
            path: path.to_owned(),
            like,
            durable,
        })
    }

    /// Where its files are written until it is complete.
    pub(crate) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// If it cannot be written out, or the name was taken meanwhile.
    pub(crate) fn commit(self) -> Result<Committed> {
        let Self {
            temporary,
            path,
            like,
            durable,
        } = self;
        let finish = || -> io::Result<()> {
            for entry in fs::read_dir(temporary.path())? {
                let file = entry?.path();
                // Opened first: the mode may be one that lets nobody open it.
                let opened = handle(&file)?;
                if let Some(like) = &like {
                    like.apply(&file);
                }
                if durable {
                    opened.sync_all()?;
                }
            }
            if durable {
                sync_folder(temporary.path())?;
            }
            if !cfg!(unix) {
                // There a folder takes the place of no other, even an empty one.
                let _ = fs::remove_dir(&path);
            }
            temporary.persist(&path, false)
        };
        finish().map_err(|e| cannot_write(&path, e))?;
        // Last: the mode may be one that lets nobody rename it.
        if let Some(like) = &like {
            like.apply(&path);
        }
        Ok(match durable {
            true => named(&path),
            false => Committed::Passing("its files were not synced".to_owned()),
        })
    }
}

/// Checks, before the work, that an output may be written.
///
/// # Errors
/// If `path` is one of `protected`, a folder, or there without `force`, unless it is a device that keeps
/// nothing.
pub(crate) fn check_free(path: &Path, force: bool, protected: &Protected) -> Result<()> {
    if is_dash(path) {
        return Ok(());
    }
    protected.check(path)?;
    let found = fs::metadata(path);
    if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
        bail!("{} is a folder; name a file", path.display());
    }
    let keeps_nothing = found.is_ok_and(|m| !m.is_file() && !is_disk(&m));
    if !force && !keeps_nothing && path.symlink_metadata().is_ok() {
        bail!(
            "{} exists; overwrite it with -f, or name another file",
            path.display()
        );
    }
    Ok(())
}

/// Whether it is a block device, which keeps what is on it.
#[cfg(unix)]
fn is_disk(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    metadata.file_type().is_block_device()
}

#[cfg(not(unix))]
fn is_disk(_: &fs::Metadata) -> bool {
    true
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: io::Error) -> anyhow::Error {
    anyhow!(error).context(format!("cannot write {}", path.display()))
}
