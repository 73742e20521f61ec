//! Files that the command reads and writes, or `-` for the standard streams.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use wasmtime::Result;
use wasmtime::error::Context;

/// Returns whether a path stands for a standard stream.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Returns the name of a file that is read, for messages.
pub(crate) fn name(path: &Path) -> String {
    if is_stream(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Reads a whole file.
///
/// # Errors
///
/// Fails if it cannot be read, and names it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if is_stream(path) {
        io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        read_into(path, &mut bytes)
    };
    read.with_context(|| format!("cannot read {}", name(path)))?;
    Ok(bytes)
}

fn read_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    *bytes = fs::read(path)?;
    Ok(())
}

/// Writes a whole file. A regular file that exists keeps its permissions, its owner and its links, and has either its
/// old or its new contents at any time, where the system allows that. Anything else, such as a device or a pipe, is
/// written to, and never replaced.
///
/// # Errors
///
/// Fails if it cannot be written, and names it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_stream(path) {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            wasmtime::bail!("standard output is a terminal: write to a file or a pipe");
        }
        return write_stream(stdout.lock(), bytes).context("cannot write to standard output");
    }
    write_file(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn write_stream(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let target = follow(path)?;
    if names_a_descriptor(&target) {
        return write_descriptor(&target, bytes);
    }
    match fs::metadata(&target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(&target, bytes, None),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.is_file() => write_stream(File::options().write(true).open(&target)?, bytes),
        Ok(_) => {
            // Whoever may not write to the file may not replace it, either.
            let file = File::options().write(true).open(&target)?;
            let old = file.metadata()?;
            match replace(&target, bytes, Some(&old)) {
                Ok(()) => Ok(()),
                // In place, where the folder cannot be written, or another file cannot be the same in all.
                Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
                    file.set_len(0)?;
                    write_stream(file, bytes)
                }
                Err(error) => Err(error),
            }
        }
    }
}

/// Follows symbolic links to the file that is to be written, which need not exist.
fn follow(path: &Path) -> io::Result<PathBuf> {
    // As many as the system follows.
    const MOST_LINKS: u32 = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        if !is_link || names_a_descriptor(&path) {
            return Ok(path);
        }
        let link = path.read_link()?;
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Returns whether a path is a link that stands for an open descriptor, such as what `/dev/stdout` leads to.
fn names_a_descriptor(path: &Path) -> bool {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    cfg!(unix) && folder.is_some_and(|folder| folder.starts_with("/proc") || folder == Path::new("/dev/fd"))
}

/// Writes to an open descriptor, at its own place: another descriptor of the file would write over what is there.
fn write_descriptor(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("1") => write_stream(io::stdout().lock(), bytes),
        Some("2") => write_stream(io::stderr().lock(), bytes),
        _ => write_stream(File::options().append(true).open(path)?, bytes),
    }
}

/// Writes a file under a temporary name and renames it, so that `path` never has partial contents. The file is like
/// the old one, if there is one.
///
/// # Errors
///
/// Fails with `Unsupported` if that is not possible. The old file is as it was.
fn replace(path: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // The mask of the process applies to the permissions of a new file.
    #[cfg(unix)]
    let all = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(all);
    let mut file = builder.suffix(".part").tempfile_in(folder)?;
    if let Some(old) = old {
        resemble(file.as_file(), old)?;
    }
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Gives a file the owner and the permissions of another.
#[cfg(unix)]
fn resemble(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    // Its other names would keep the old contents.
    if old.nlink() != 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn resemble(file: &File, old: &Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}
