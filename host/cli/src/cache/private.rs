//! Folders and files that only this user can write.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Makes a folder, and those above it, for this user alone.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Returns the path of a folder without links, if only this user can write to it, and only this user or the
/// administrator can put another in its place.
///
/// # Errors
///
/// Says who else could.
#[cfg(unix)]
pub(super) fn check(folder: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::MetadataExt;

    const WRITABLE_BY_OTHERS: u32 = 0o022;
    // Of a folder with this bit, only the owner of an entry can rename it.
    const STICKY: u32 = 0o1000;
    let path = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
    let user = rustix::process::geteuid().as_raw();
    for ancestor in path.ancestors() {
        let name = ancestor.display();
        let metadata = ancestor.symlink_metadata().map_err(|error| format!("{name}: {error}"))?;
        let is_folder_itself = ancestor == path;
        if !metadata.is_dir() {
            return Err(format!("{name} is not a folder"));
        }
        if metadata.uid() != user && (is_folder_itself || metadata.uid() != 0) {
            return Err(format!("{name} belongs to another user"));
        }
        let is_sticky = !is_folder_itself && metadata.mode() & STICKY != 0;
        if metadata.mode() & WRITABLE_BY_OTHERS != 0 && !is_sticky {
            return Err(format!("others may write to {name}: chmod go-w {name}"));
        }
    }
    Ok(path)
}

/// Opens a file that only this user can have written.
///
/// # Errors
///
/// Fails if there is none of that name, or if it is a link, or if it belongs to others or they may write to it.
#[cfg(unix)]
pub(super) fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    // Without waiting, should it be a pipe.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if metadata.is_file() && is_ours { Ok(file) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Returns whether the folder, which need not exist, and a directory have anything in common, whatever they are called.
#[cfg(unix)]
pub(super) fn overlap(folder: &Path, directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let identity = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let lies_in = |path: &Path, outer: &Path| {
        let existing = path.ancestors().find_map(|path| path.canonicalize().ok());
        let outer = identity(outer);
        outer.is_some() && existing.is_some_and(|path| path.ancestors().any(|ancestor| identity(ancestor) == outer))
    };
    lies_in(folder, directory) || lies_in(directory, folder)
}

#[cfg(not(unix))]
pub(super) fn check(folder: &Path) -> Result<PathBuf, String> {
    // The folder lies in the user's profile, where other users cannot write.
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}

#[cfg(not(unix))]
pub(super) fn open(path: &Path) -> io::Result<File> {
    if path.symlink_metadata()?.is_file() { File::open(path) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(not(unix))]
pub(super) fn overlap(folder: &Path, directory: &Path) -> bool {
    let existing = |path: &Path| path.ancestors().find_map(|path| path.canonicalize().ok());
    match (existing(folder), directory.canonicalize()) {
        (Some(folder), Ok(directory)) => folder.starts_with(&directory) || directory.starts_with(&folder),
        _ => false,
    }
}
