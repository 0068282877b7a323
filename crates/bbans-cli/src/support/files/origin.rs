//! What an input was when it was opened.

use std::fs::{self, File, FileTimes, Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that is read, as it was when it was opened.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    path: PathBuf,
    id: FileId,
    metadata: Box<Metadata>,
    /// Bytes on the disk; of a folder, of all files below it.
    len: u64,
    /// What others may do: of a folder, what they may do with all that is below it too.
    mode: u32,
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
        let mut origin = Self {
            path: path.to_owned(),
            id: FileId::of_metadata(path, &metadata)?,
            len: metadata.len(),
            mode: mode(path, &metadata),
            metadata: Box::new(metadata),
        };
        if origin.metadata.is_dir() {
            origin.len = 0;
            let mut folders = vec![path.to_owned()];
            while let Some(folder) = folders.pop() {
                for entry in fs::read_dir(folder)? {
                    let entry = entry?;
                    let path = entry.path();
                    // Links are not followed.
                    let file = entry.metadata()?;
                    origin.mode &= mode(&path, &file);
                    match file.is_dir() {
                        true => folders.push(path),
                        false => origin.len = origin.len.saturating_add(file.len()),
                    }
                }
            }
        }
        Ok(origin)
    }

    /// Bytes on the disk; of a folder, of all files below it; 0 of a pipe.
    pub(crate) fn len(&self) -> u64 {
        self.len
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

    /// Gives a file or folder owner, mode and times of this one, as far as the system lets us: the mode
    /// is never wider than this one's.
    pub(super) fn apply(&self, path: &Path) {
        let mut times = FileTimes::new();
        if let Ok(time) = self.metadata.modified() {
            times = times.set_modified(time);
        }
        if let Ok(time) = self.metadata.accessed() {
            times = times.set_accessed(time);
        }
        // Times first: the mode may be one that lets nobody open it.
        let _ = handle(path).and_then(|file| file.set_times(times));
        let _ = fs::set_permissions(path, self.permissions(path));
    }

    #[cfg(unix)]
    fn permissions(&self, path: &Path) -> Permissions {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
        let (uid, gid) = (self.metadata.uid(), self.metadata.gid());
        acl::remove(path);
        // Only root may give a file away, and others only to a group of theirs.
        let _ = chown(path, None, Some(gid));
        let _ = chown(path, Some(uid), None);
        let mut mode = self.mode;
        let found = fs::metadata(path);
        if found.as_ref().is_ok_and(|m| m.gid() != gid) {
            // Another group may do what both the group and all others might.
            let both = mode >> 3 & mode & 0o7;
            mode = mode & 0o700 | both << 3 | both;
        }
        // Who may read a folder may also enter it; a file made of a folder is nothing to run.
        match (self.metadata.is_dir(), found.is_ok_and(|m| m.is_dir())) {
            (true, false) => mode &= 0o666,
            (false, true) => mode |= (mode & 0o444) >> 2,
            _ => {}
        }
        Permissions::from_mode(mode)
    }

    #[cfg(not(unix))]
    fn permissions(&self, _: &Path) -> Permissions {
        self.metadata.permissions()
    }
}

#[cfg(unix)]
fn mode(path: &Path, metadata: &Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    // With an access control list the group's bits are the most that anyone in it may do, and the list
    // stays behind: only the owner's are sure.
    metadata.mode() & if acl::is_there(path) { 0o700 } else { 0o777 }
}

#[cfg(not(unix))]
fn mode(_: &Path, _: &Metadata) -> u32 {
    0
}

/// Access control lists, which an output may also have from its folder.
#[cfg(target_os = "linux")]
mod acl {
    use std::path::Path;

    use rustix::fs::{getxattr, removexattr};
    use rustix::io::Errno;

    const NAME: &str = "system.posix_acl_access";

    pub(super) fn is_there(path: &Path) -> bool {
        match getxattr(path, NAME, &mut [0; 256]) {
            Ok(length) => length > 0,
            Err(e) => e == Errno::RANGE,
        }
    }

    pub(super) fn remove(path: &Path) {
        let _ = removexattr(path, NAME);
    }
}

/// Elsewhere they are not known.
#[cfg(all(unix, not(target_os = "linux")))]
mod acl {
    use std::path::Path;

    pub(super) fn is_there(_: &Path) -> bool {
        false
    }

    pub(super) fn remove(_: &Path) {}
}

/// What times are set and files synced by.
#[cfg(unix)]
pub(super) fn handle(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Elsewhere a file must be open for writing.
#[cfg(not(unix))]
pub(super) fn handle(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new().write(true).open(path)
}
