//! Files and folders that are there until they take their name, or the program ends.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

/// Those of this process. Who holds the lock is alone in making, naming and removing them.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn live() -> MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes them all and ends the program. The lock is kept until then: nothing takes its name, and
/// nothing new is begun.
pub(super) fn remove_all_and_exit(code: i32) -> ! {
    let paths = live();
    paths.iter().for_each(|path| remove(path));
    std::process::exit(code)
}

/// Waits for a clean-up that has begun, which ends the program.
pub(crate) fn wait_for_clean_up() {
    drop(live());
}

fn remove(path: &Path) {
    if !path.is_dir() {
        let _ = fs::remove_file(path);
        return;
    }
    // Whoever is writing into it finds it gone; one file may still be on its way.
    let gone = path.with_extension("gone");
    let path = match fs::rename(path, &gone) {
        Ok(()) => &gone,
        Err(_) => path,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    }
    for _ in 0..100 {
        if fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
    }
}

/// A file or folder with a name that nobody knows; removed when it is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
}

impl Temporary {
    /// A new file in `folder`, with this mode, less what the umask takes away.
    pub(super) fn file(folder: &Path, mode: u32) -> io::Result<(Self, File)> {
        Self::make(folder, |path| {
            let mut options = File::options();
            options.read(true).write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
            #[cfg(not(unix))]
            let _ = mode;
            options.open(path)
        })
    }

    /// A new folder in `folder`.
    pub(super) fn folder(folder: &Path, mode: u32) -> io::Result<Self> {
        let made = Self::make(folder, |path| {
            #[allow(unused_mut, reason = "elsewhere a folder has no mode")]
            let mut builder = fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
            #[cfg(not(unix))]
            let _ = mode;
            builder.create(path)
        });
        made.map(|(temporary, ())| temporary)
    }

    fn make<T>(folder: &Path, make: impl FnMut(&Path) -> io::Result<T>) -> io::Result<(Self, T)> {
        let mut live = live();
        let mut builder = tempfile::Builder::new();
        builder.prefix(".bbans-").suffix(".part");
        let (made, path) = builder.make_in(folder, make)?.into_parts();
        let path = path.keep()?;
        live.push(path.clone());
        Ok((Self { path }, made))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, over what has that name if `force` is given.
    pub(super) fn persist(self, name: &Path, force: bool) -> io::Result<()> {
        let mut live = live();
        if force || self.path.is_dir() {
            fs::rename(&self.path, name)?;
        } else {
            let file = tempfile::TempPath::try_from_path(&self.path)?;
            file.persist_noclobber(name).map_err(|e| {
                // It is removed below, as any other that was not named.
                let _ = e.path.keep();
                e.error
            })?;
        }
        live.retain(|p| *p != self.path);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let mut live = live();
        if live.contains(&self.path) {
            remove(&self.path);
            live.retain(|p| *p != self.path);
        }
    }
}

/// A folder for temporary files, gone when it is dropped or a signal ends the program.
pub(crate) struct Scratch(Temporary);

impl Scratch {
    /// A new one, where the system keeps such.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn new() -> Result<Self> {
        let folder = Temporary::folder(&std::env::temp_dir(), 0o700);
        Ok(Self(folder.context("no folder for temporary files")?))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}
