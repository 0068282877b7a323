//! Files that a command may not overwrite, whatever its options.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};

use super::origin::FileId;
use super::output::parent;

/// What a command reads, and what it has written so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protected(Arc<Mutex<HashSet<FileId>>>);

impl Protected {
    /// What a command reads, as far as it is there: files, folders with all that is in them, models by
    /// their path.
    pub(crate) fn inputs<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let mut ids = HashSet::new();
        for path in paths {
            ids.extend(FileId::of(path.as_ref()));
            // What links in a folder lead to may be elsewhere.
            let entries = fs::read_dir(path.as_ref()).into_iter().flatten().flatten();
            ids.extend(entries.filter_map(|entry| FileId::of(&entry.path()).ok()));
        }
        Self(Arc::new(Mutex::new(ids)))
    }

    /// An error if a path leads to one of them, or into one.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let is_protected = |path| FileId::of(path).is_ok_and(|id| self.ids().contains(&id));
        let parent = parent(path);
        if is_protected(path) || parent.is_dir() && is_protected(parent) {
            bail!(
                "{} is an input or an output of this same command and would be lost; name another \
                 output with -o",
                path.display()
            );
        }
        Ok(())
    }

    /// Adds an output.
    pub(super) fn add(&self, path: &Path) {
        self.ids().extend(FileId::of(path).ok());
    }

    fn ids(&self) -> MutexGuard<'_, HashSet<FileId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
