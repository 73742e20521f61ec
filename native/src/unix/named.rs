//! Names that all processes of a user share: POSIX shared memory.
//!
//! The memory would outlive its users, who therefore lock it: the last one removes it, and one that finds it without users, after a
//! crash, starts it anew.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{FlockOperation, Mode, flock};
use rustix::io::Errno;
use rustix::shm;

use wasi_mmap_core::{Error, MapOptions, OsError, Result, System};

use super::file::set_len;
use super::memory::Memory;

/// A name, locked against being taken for unused.
#[derive(Debug)]
pub(crate) struct Name {
    name: String,
    file: File,
}

impl Drop for Name {
    fn drop(&mut self) {
        // Nobody else uses it: then it goes. What fails here leaves the memory for the next one to start anew.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = shm::unlink(self.name.as_str());
        }
    }
}

/// How often it is tried: each time, another process has removed the memory between two of our steps.
const TRIES: u32 = 1000;

/// The memory of a name, how long it was if it existed, and the hold on its name.
pub(crate) fn open_named(name: &str, options: &MapOptions) -> Result<(Memory, Option<u64>, Name)> {
    let user = rustix::process::geteuid().as_raw();
    // Hexadecimal: a name may have characters that a file's name may not.
    let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("/wasi-mmap-{user}-{hex}");
    for _ in 0..TRIES {
        if let Some(opened) = try_open(&name, options)? {
            return Ok(opened);
        }
    }
    Err(Error::Io(OsError {
        system: System::CURRENT,
        code: Errno::AGAIN.raw_os_error(),
        message: "the memory of that name comes and goes too fast".into(),
    }))
}

/// Refuses what is not this user's alone.
fn check_owner(name: &str, file: &File) -> Result<()> {
    let metadata = file.metadata()?;
    let user = rustix::process::geteuid().as_raw();
    if !metadata.is_file() {
        return Err(not_ours(name, "it is no memory"));
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
    Error::NotPermitted(format!("/dev/shm{name} is not the memory of user {user} alone: {why}; remove it first").into())
}

fn try_open(name: &str, options: &MapOptions) -> Result<Option<(Memory, Option<u64>, Name)>> {
    let flags = shm::OFlags::CREATE | shm::OFlags::RDWR;
    let descriptor = shm::open(name, flags, Mode::RUSR | Mode::WUSR).map_err(|error| match error {
        // Another user's, or a folder.
        Errno::ACCESS | Errno::PERM | Errno::ISDIR | Errno::LOOP => not_ours(name, "it cannot be opened"),
        error => io::Error::from(error).into(),
    })?;
    let file = File::from(descriptor);
    // Before anything is done with it: whoever else may open it can hold its lock for ever, or change what it holds.
    check_owner(name, &file)?;
    // Alone: it is new, or its users are gone without removing it.
    let is_alone = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
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
    let hold = Name { name: name.to_owned(), file };
    if !is_alone {
        let len = hold.file.metadata()?.len();
        return Ok(Some((hold.file.try_clone()?.into(), Some(len), hold)));
    }
    // From here on, an error drops the hold, which removes what was just made.
    let extent = options.extent_of_named(None, super::page_size())?;
    set_len(&hold.file, 0)?;
    set_len(&hold.file, extent.len)?;
    // The lock is given up and taken anew: another process may have started the memory in between.
    flock(&hold.file, FlockOperation::LockShared).map_err(io::Error::from)?;
    let metadata = hold.file.metadata()?;
    if metadata.nlink() == 0 || metadata.len() != extent.len {
        return Ok(None);
    }
    Ok(Some((hold.file.try_clone()?.into(), None, hold)))
}
