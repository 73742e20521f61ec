//! Files as Unix sees them: opened with the least rights, and described to the rules of `core`.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use wasi_mmap_core::{Extent, FileInfo, FileKind, MapFlags, MapOptions, Result, Rights};

/// Opens a file. A FIFO is opened as well, without waiting for its other end, and is refused when mapped.
pub(crate) fn open(path: &Path, rights: Rights) -> Result<File> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
    Ok(OpenOptions::new().read(read).write(write).custom_flags(no_wait).open(path)?)
}

/// What kind of file it is, how long, and what its descriptor may do.
pub(crate) fn describe(file: &File) -> Result<FileInfo> {
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    let kind = if kind.is_file() {
        FileKind::Regular
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_fifo() {
        FileKind::Pipe
    } else if kind.is_socket() {
        FileKind::Socket
    } else if kind.is_char_device() || kind.is_block_device() {
        FileKind::Device
    } else {
        FileKind::Other
    };
    let mode = rustix::fs::fcntl_getfl(file).map_err(std::io::Error::from)? & OFlags::ACCMODE;
    let rights = match mode {
        OFlags::RDONLY => Rights::READ,
        OFlags::WRONLY => Rights::WRITE,
        _ => Rights::all(),
    };
    Ok(FileInfo { kind, len: metadata.len(), rights })
}

/// The file that shared memory without a name lies in, so that it can grow. `None` where private memory serves as well:
/// without a name, only a forked child could tell the two apart.
pub(crate) fn memory_file(extent: &Extent, options: &MapOptions) -> Result<Option<File>> {
    let is_huge = options.get_flags().contains(MapFlags::HUGE_PAGES);
    if options.is_private() || is_huge || !cfg!(target_os = "linux") {
        return Ok(None);
    }
    new_memory_file(extent.len).map(Some)
}

/// A file in memory, without a name: on Linux a memfd.
#[cfg(target_os = "linux")]
pub(crate) fn new_memory_file(len: u64) -> Result<File> {
    use rustix::fs::MemfdFlags;

    let descriptor = rustix::fs::memfd_create("wasi-mmap", MemfdFlags::CLOEXEC).map_err(std::io::Error::from)?;
    let file = File::from(descriptor);
    file.set_len(len)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn new_memory_file(_: u64) -> Result<File> {
    Err(wasi_mmap_core::Error::Unsupported("shared memory without a file on this system".into()))
}
