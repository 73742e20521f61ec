//! Unix files: opened with the least rights, and described for the rules of `core`.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Resource, getrlimit};
use wasi_mmap_core::{FileInfo, FileKind, OsError, Result, Rights, System};

use super::page::page_len;

/// The longest wait for another holder's lease on a file to end: longer than the default of Linux for breaking a lease,
/// 45 s.
const LEASE_TIMEOUT: Duration = Duration::from_secs(60);

/// Opens a file. A FIFO is opened too, without waiting for its other end; mapping it fails later.
pub(crate) fn open(path: &Path, rights: Rights) -> Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
    let started = Instant::now();
    loop {
        match OpenOptions::new().read(read).write(write).custom_flags(nonblocking).open(path) {
            // The file is leased, perhaps for a stable slice of this process. The kernel has just asked the holder to
            // release it.
            Err(error) if error.kind() == ErrorKind::WouldBlock && started.elapsed() < LEASE_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Returns the kind and length of a file and the rights of its descriptor.
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
    Ok(FileInfo { kind, len: metadata.len(), rights, grows: false })
}

/// Returns the size of the pages that a file is mapped in: that of a page of memory, except on hugetlbfs, of which the
/// kernel maps and unmaps only whole huge pages. Linux `fstatfs(2)`.
pub(crate) fn page_len_of(file: &File) -> usize {
    #[cfg(target_os = "linux")]
    {
        const HUGETLBFS: u32 = 0x9584_58f6;
        // A number of 32 bits, in a field that may be wider, signed or unsigned.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the upper half is empty")]
        // hugetlbfs never fails to tell.
        if let Ok(system) = rustix::fs::fstatfs(file)
            && system.f_type as u32 == HUGETLBFS
        {
            return usize::try_from(system.f_bsize).unwrap_or(0).max(page_len());
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = file;
    page_len()
}

/// Sets the length of a file to `len` bytes.
///
/// A length above this process's `RLIMIT_FSIZE` is refused, because growing a file past it raises SIGXFSZ, which ends
/// the process. It is refused even if the file is longer than `len`: another process may truncate the file first, and
/// the call would grow it.
///
/// # Errors
///
/// [`Error::Io`](wasi_mmap_core::Error::Io) with `EFBIG` above the limit; the errors of `ftruncate(2)`.
pub(crate) fn set_len(file: &File, len: u64) -> Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(most) if len > most => Err(OsError {
            system: System::CURRENT,
            code: rustix::io::Errno::FBIG.raw_os_error(),
            message: format!("{len} bytes exceed the file size limit of this process: RLIMIT_FSIZE is {most}"),
        }
        .into()),
        _ => Ok(file.set_len(len)?),
    }
}
