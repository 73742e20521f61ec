//! Opens files by path through the preopened directories, as wasi-libc does.
//!
//! This module only chooses the directory. WASI decides if the rest of the path may be opened.

use std::path::Path;
use std::sync::OnceLock;

use wasi_mmap_core::{Error, FileKind, OsError, Result, Rights, System};
use wasi_mmap_sys::bindings::wasi::filesystem::preopens::get_directories;
use wasi_mmap_sys::bindings::wasi::filesystem::types::{
    Descriptor, DescriptorFlags, DescriptorType, OpenFlags, PathFlags,
};
use wasi_mmap_sys::wasi_error;

/// The preopened directories with their names in the plugin. They are requested once, because each call returns new
/// handles.
static DIRECTORIES: OnceLock<Vec<(Descriptor, String)>> = OnceLock::new();

/// Opens an existing file through the preopened directory that contains it.
pub(super) fn open(path: &Path, rights: Rights) -> Result<Descriptor> {
    let Some(text) = path.to_str() else {
        return Err(Error::invalid("path", format!("{} is not UTF-8", path.display())));
    };
    let absolute = match std::env::current_dir() {
        Ok(directory) if path.is_relative() => directory.join(path),
        _ => path.to_owned(),
    };
    let absolute = absolute.to_str().unwrap_or(text);
    let directories = DIRECTORIES.get_or_init(get_directories);
    let candidates = directories.iter().filter_map(|(directory, name)| Some((directory, relative_to(name, absolute)?)));
    // The directory with the shortest rest of the path is the closest one.
    let Some((directory, rest)) = candidates.min_by_key(|(_, rest)| rest.len()) else {
        let folder = path.parent().and_then(Path::to_str).filter(|folder| !folder.is_empty()).unwrap_or(".");
        let message = format!("no preopened directory holds {text}: give the plugin one, as `--dir {folder}` does");
        return Err(Error::Io(OsError { system: System::Wasi, code: NO_ENTRY, message }));
    };
    let mut flags = DescriptorFlags::empty();
    flags.set(DescriptorFlags::READ, rights.contains(Rights::READ));
    flags.set(DescriptorFlags::WRITE, rights.contains(Rights::WRITE));
    let rest = if rest.is_empty() { "." } else { rest };
    // Opening a pipe would wait for its other end. An engine may not distinguish pipes from sockets.
    let kind = directory.stat_at(PathFlags::SYMLINK_FOLLOW, rest).map(|stat| stat.type_);
    if kind.is_ok_and(|kind| !matches!(kind, DescriptorType::RegularFile | DescriptorType::Directory)) {
        FileKind::Other.check()?;
    }
    directory
        .open_at(PathFlags::SYMLINK_FOLLOW, rest, OpenFlags::empty(), flags)
        .map_err(|code| wasi_error(code.name()))
}

/// WASI's number for `ENOENT`.
const NO_ENTRY: i32 = 44;

/// Returns the rest of `path` within the directory `name`, if it lies there.
fn relative_to<'a>(name: &str, path: &'a str) -> Option<&'a str> {
    let (name, path) = (strip_root(name), strip_root(path));
    if name.is_empty() {
        return Some(path);
    }
    let rest = path.strip_prefix(name.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/').map(strip_root) }
}

/// Removes leading `/` and `./`: all paths are relative to one root.
fn strip_root(mut path: &str) -> &str {
    loop {
        path = match path.strip_prefix('/').or_else(|| path.strip_prefix("./")) {
            Some(rest) => rest,
            None if path == "." => "",
            None => return path,
        }
    }
}
