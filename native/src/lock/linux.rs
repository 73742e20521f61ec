//! Locks of Linux: open-file-description locks and those of `flock(2)`.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use libc::{c_int, c_short};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use wasi_mmap_core::{Error, HeldLock, LockKind, LockRange, Result, Rights};

use crate::sys::{describe, open};

/// An open file description, which owns the locks.
#[derive(Debug)]
pub(super) struct Owner {
    file: File,
    rights: Rights,
}

impl Owner {
    /// Opens a file anew, with those of `rights` that its descriptor has.
    pub(super) fn new(file: &File, rights: Rights) -> Result<Self> {
        let info = describe(file)?;
        info.kind.check().map_err(|_| Error::Unsupported("locks on anything but a regular file".into()))?;
        let rights = info.rights & rights;
        if rights.is_empty() {
            return Err(Error::NotPermitted("locks on a file that is open neither for reading nor for writing".into()));
        }
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let own = open(Path::new(&path), rights).map_err(|error| match error {
            Error::Io(os) if os.code == libc::ENOENT => Error::Unsupported("locks without /proc".into()),
            error => error,
        })?;
        // Something else may be mounted at `/proc`.
        let identity = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        if identity(&own)? != identity(file)? {
            return Err(Error::Unsupported("locks without /proc".into()));
        }
        Ok(Self { file: own, rights })
    }

    pub(super) fn lock(&self, range: LockRange, kind: LockKind) -> Result<()> {
        kind.check(self.rights)?;
        loop {
            match self.control(libc::F_OFD_SETLKW, &mut record(range, Some(kind))?) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome.map_err(to_error),
            }
        }
    }

    pub(super) fn try_lock(&self, range: LockRange, kind: LockKind) -> Result<bool> {
        kind.check(self.rights)?;
        match self.control(libc::F_OFD_SETLK, &mut record(range, Some(kind))?) {
            Ok(()) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(to_error(error)),
        }
    }

    pub(super) fn unlock(&self, range: LockRange) -> Result<()> {
        self.control(libc::F_OFD_SETLK, &mut record(range, None)?).map_err(to_error)
    }

    pub(super) fn test(&self, range: LockRange, kind: LockKind) -> Result<Option<HeldLock>> {
        let mut record = record(range, Some(kind))?;
        self.control(libc::F_OFD_GETLK, &mut record).map_err(to_error)?;
        let kind = match c_int::from(record.l_type) {
            libc::F_RDLCK => LockKind::Shared,
            libc::F_WRLCK => LockKind::Exclusive,
            _ => return Ok(None),
        };
        // -1 for an open file description, 0 for a process that is not in this one's namespace.
        let process = u32::try_from(record.l_pid).ok().filter(|&process| process != 0);
        // The kernel's numbers are those of a valid range.
        let range = LockRange::new(number(record.l_start), number(record.l_len))?;
        Ok(Some(HeldLock { kind, range, process }))
    }

    pub(super) fn lock_file(&self, kind: LockKind) -> Result<()> {
        kind.check(self.rights)?;
        let operation = match kind {
            LockKind::Shared => FlockOperation::LockShared,
            LockKind::Exclusive => FlockOperation::LockExclusive,
        };
        loop {
            match flock(&self.file, operation) {
                Err(Errno::INTR) => {}
                outcome => return Ok(outcome.map_err(io::Error::from)?),
            }
        }
    }

    pub(super) fn try_lock_file(&self, kind: LockKind) -> Result<bool> {
        kind.check(self.rights)?;
        let operation = match kind {
            LockKind::Shared => FlockOperation::NonBlockingLockShared,
            LockKind::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&self.file, operation) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    pub(super) fn unlock_file(&self) -> Result<()> {
        Ok(flock(&self.file, FlockOperation::Unlock).map_err(io::Error::from)?)
    }

    /// Makes a call for locks on ranges. After an error, no lock has changed.
    fn control(&self, command: c_int, record: &mut libc::flock) -> io::Result<()> {
        // SAFETY: the call reads `record`, and `F_OFD_GETLK` writes to it; it touches no other memory, whether it
        // succeeds or fails.
        if unsafe { libc::fcntl(self.file.as_raw_fd(), command, std::ptr::from_mut(record)) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for Owner {
    /// Releases the locks. Closing the file would do, unless a child process that was forked meanwhile has it open, too.
    fn drop(&mut self) {
        // A failure leaves it to the end of the last descriptor.
        let _ = LockRange::new(0, 0).and_then(|all| self.unlock(all));
        let _ = self.unlock_file();
    }
}

/// Returns the kernel's record of a range, locked or unlocked. `struct flock`.
fn record(range: LockRange, kind: Option<LockKind>) -> Result<libc::flock> {
    let kind = match kind {
        None => libc::F_UNLCK,
        Some(LockKind::Shared) => libc::F_RDLCK,
        Some(LockKind::Exclusive) => libc::F_WRLCK,
    };
    // On systems with 32 bits, the C library may have no more.
    let offset = |number: u64| {
        libc::off_t::try_from(number).map_err(|_| Error::Unsupported("locks past 2^31 on this system".into()))
    };
    let small = |number: c_int| c_short::try_from(number).expect("a small constant");
    // SAFETY: a `flock` consists of integers, and zero is valid for all of them.
    let mut record: libc::flock = unsafe { std::mem::zeroed() };
    record.l_type = small(kind);
    record.l_whence = small(libc::SEEK_SET);
    record.l_start = offset(range.offset())?;
    record.l_len = offset(range.length())?;
    Ok(record)
}

fn number(offset: libc::off_t) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}

fn to_error(error: io::Error) -> Error {
    match error.raw_os_error() {
        // A kernel or a file system without such locks.
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP) => {
            Error::Unsupported(format!("locks on this file: {error}").into())
        }
        _ => error.into(),
    }
}
