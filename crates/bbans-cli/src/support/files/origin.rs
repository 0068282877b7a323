//! What an input was when it was opened.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that is read, as it was when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    path: PathBuf,
    id: FileId,
    metadata: Box<Metadata>,
}

/// Which file it is, by whatever name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId(
    #[cfg(unix)] (u64, u64),
    // No number that the standard library tells: the path, with links followed.
    #[cfg(not(unix))] PathBuf,
);

impl FileId {
    /// The file that a path leads to.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Self::of_metadata(path, &fs::metadata(path)?)
    }

    #[cfg(unix)]
    #[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
    fn of_metadata(_: &Path, metadata: &Metadata) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        Ok(Self((metadata.dev(), metadata.ino())))
    }

    #[cfg(not(unix))]
    fn of_metadata(path: &Path, _: &Metadata) -> io::Result<Self> {
        path.canonicalize().map(Self)
    }
}

impl Origin {
    pub(crate) fn new(path: &Path, metadata: Metadata) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            id: FileId::of_metadata(path, &metadata)?,
            metadata: Box::new(metadata),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still is the regular file that was opened, as long and as old.
    pub(super) fn is_unchanged(&self) -> io::Result<bool> {
        let now = fs::symlink_metadata(&self.path)?;
        Ok(now.is_file()
            && FileId::of_metadata(&self.path, &now)? == self.id
            && now.len() == self.metadata.len()
            && now.modified().ok() == self.metadata.modified().ok())
    }

    /// Whether it has a mode and times that an output should carry: not a pipe or a device.
    pub(super) fn is_kept(&self) -> bool {
        self.metadata.is_file() || self.metadata.is_dir()
    }

    /// Gives `file` owner, mode and times of this one, as far as the system lets us: the mode is never
    /// wider than this one's.
    pub(super) fn apply(&self, file: &File, is_folder: bool) {
        let _ = file.set_permissions(self.permissions(file, is_folder));
        let mut times = fs::FileTimes::new();
        if let Ok(time) = self.metadata.modified() {
            times = times.set_modified(time);
        }
        if let Ok(time) = self.metadata.accessed() {
            times = times.set_accessed(time);
        }
        let _ = file.set_times(times);
    }

    #[cfg(unix)]
    fn permissions(&self, file: &File, is_folder: bool) -> Permissions {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let (uid, gid) = (self.metadata.uid(), self.metadata.gid());
        // Only root may give a file away.
        let _ = fchown(file, Some(uid), None).and_then(|()| fchown(file, None, Some(gid)));
        let mut mode = self.metadata.mode() & 0o777;
        if file.metadata().is_ok_and(|m| m.gid() != gid) {
            // Another group may do what both the group and all others might.
            let both = mode >> 3 & mode & 0o7;
            mode = mode & 0o700 | both << 3 | both;
        }
        // Who may read a folder may also enter it; a file made of a folder is nothing to run.
        match (self.metadata.is_dir(), is_folder) {
            (true, false) => mode &= 0o666,
            (false, true) => mode |= (mode & 0o444) >> 2,
            _ => {}
        }
        Permissions::from_mode(mode)
    }

    #[cfg(not(unix))]
    fn permissions(&self, _: &File, _: bool) -> Permissions {
        self.metadata.permissions()
    }
}
