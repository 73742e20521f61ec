//! Files as Unix sees them: opened with the least rights, and described to the rules of `core`.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Resource, getrlimit};
use wasi_mmap_core::{FileInfo, FileKind, OsError, Result, Rights, System};

/// How long to wait for the end of somebody's lease on a file: longer than Linux lets anybody keep one that is to end.
const LEASE_ENDS: Duration = Duration::from_secs(60);

/// Opens a file. A FIFO is opened as well, without waiting for its other end, and is refused when mapped.
pub(crate) fn open(path: &Path, rights: Rights) -> Result<File> {
    let no_wait = OFlags::NONBLOCK.bits().cast_signed();
    let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
    let started = Instant::now();
    loop {
        match OpenOptions::new().read(read).write(write).custom_flags(no_wait).open(path) {
            // Somebody has a lease on the file, perhaps a stable slice of this process, and was just asked to let go.
            Err(error) if error.kind() == ErrorKind::WouldBlock && started.elapsed() < LEASE_ENDS => {
                std::thread::sleep(Duration::from_millis(1));
            }
            outcome => return Ok(outcome?),
        }
    }
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
    Ok(FileInfo { kind, len: metadata.len(), rights, grows: false })
}

/// Makes a file `len` bytes long, if this process may make it so long: else the kernel would end the process with SIGXFSZ.
///
/// A file that is longer still may become shorter, if not so: another process may cut it meanwhile, and it would become longer.
///
/// # Errors
///
/// `io` with `EFBIG`; those of `ftruncate(2)`.
pub(crate) fn set_len(file: &File, len: u64) -> Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(most) if len > most => Err(OsError {
            system: System::CURRENT,
            code: rustix::io::Errno::FBIG.raw_os_error(),
            message: format!("{len} bytes are more than this process may make a file long: RLIMIT_FSIZE is {most}"),
        }
        .into()),
        _ => Ok(file.set_len(len)?),
    }
}
