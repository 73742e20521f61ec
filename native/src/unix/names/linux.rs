//! Named memory, shared by all processes of a user: POSIX shared memory.
//!
//! Such memory outlives its users. So every user holds a shared lock on it: the last user removes the memory, and a
//! user that finds it unlocked, after a crash, resets it.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::shm;

use wasi_mmap_core::{Error, MapOptions, OsError, Result, System};

use super::super::file::set_len;
use super::super::memory::SharedMemory;
use super::super::page::page_size;

/// A shared lock on a name, which shows other processes that the memory is in use.
#[derive(Debug)]
pub(crate) struct NameLock {
    name: String,
    file: File,
}

impl Drop for NameLock {
    fn drop(&mut self) {
        // Removes the memory if nobody else uses it. If this fails, the next user resets the memory.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = shm::unlink(self.name.as_str());
        }
    }
}

/// The number of attempts. One fails if another process removes the memory between two of its steps.
const MAX_TRIES: u32 = 1000;

/// Opens the memory of a name, or makes it. Returns the memory, its length if it existed, and the lock on its name.
pub(crate) fn open_named(name: &str, options: &MapOptions) -> Result<(SharedMemory, Option<u64>, NameLock)> {
    let user = rustix::process::geteuid().as_raw();
    // Hexadecimal, because a name may have characters that the name of a file may not.
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("/wasi-mmap-{user}-{hex}");
    for _ in 0..MAX_TRIES {
        if let Some(opened) = try_open(&name, options)? {
            return Ok(opened);
        }
    }
    Err(Error::Io(OsError {
        system: System::CURRENT,
        code: Errno::AGAIN.raw_os_error(),
        message: "other processes make and remove the memory of that name too fast".into(),
    }))
}

/// Returns an error if the memory does not belong to this user alone.
fn check_owner(name: &str, file: &File) -> Result<()> {
    let metadata = file.metadata()?;
    let user = rustix::process::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(not_ours(name, "it is not a memory object"));
    }
    if metadata.uid() != user {
        return Err(not_ours(name, &format!("it belongs to user {}", metadata.uid())));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(not_ours(name, &format!("others may use it: its mode is {mode:o}")));
    }
    Ok(())
}

fn not_ours(name: &str, why: &str) -> Error {
    let user = rustix::process::geteuid().as_raw();
    Error::NotPermitted(format!("/dev/shm{name} does not belong to user {user} alone: {why}; remove it first").into())
}

/// Opens or makes the memory once. Returns `None` if another process removes or resets it meanwhile.
fn try_open(name: &str, options: &MapOptions) -> Result<Option<(SharedMemory, Option<u64>, NameLock)>> {
    let flags = shm::OFlags::CREATE | shm::OFlags::RDWR;
    let descriptor = shm::open(name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
        // It belongs to another user, or is a directory.
        Errno::ACCESS | Errno::PERM | Errno::ISDIR | Errno::LOOP => not_ours(name, "it cannot be opened"),
        error => io::Error::from(error).into(),
    })?;
    let file = File::from(descriptor);
    // Checked first: anybody else who may open the memory can hold its lock for ever, or change its bytes.
    check_owner(name, &file)?;
    // Unused: the memory is new, or its users ended without removing it.
    let is_unused = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => true,
        Err(Errno::WOULDBLOCK) => {
            flock(&file, FlockOperation::LockShared).map_err(io::Error::from)?;
            false
        }
        Err(error) => return Err(io::Error::from(error).into()),
    };
    if file.metadata()?.nlink() == 0 {
        return Ok(None);
    }
    let lock = NameLock { name: name.to_owned(), file };
    if !is_unused {
        let len = lock.file.metadata()?.len();
        return Ok(Some((lock.file.try_clone()?.into(), Some(len), lock)));
    }
    // From here on, an error drops the lock, which removes the memory just made.
    let extent = options.extent_of_named(None, page_size())?;
    set_len(&lock.file, 0)?;
    set_len(&lock.file, extent.len)?;
    // Changing the kind of lock releases it first, so another process may have reset the memory in between.
    flock(&lock.file, FlockOperation::LockShared).map_err(io::Error::from)?;
    let metadata = lock.file.metadata()?;
    if metadata.nlink() == 0 || metadata.len() != extent.len {
        return Ok(None);
    }
    Ok(Some((lock.file.try_clone()?.into(), None, lock)))
}
