//! Memory that has a name: shared by the mappings of one [`Namespace`], or by all processes of one user.

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasi_mmap_core::{Backend, Error, MapOptions, Result, check_name};

use crate::os::file;
use crate::storage::Native;

/// What keeps a name from being given to other memory, until it is dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "held to be dropped")]
pub(crate) enum NameHold {
    /// A name in a [`Namespace`].
    Namespace(Arc<File>),
    /// A name that all processes of a user share.
    System(system::Name),
}

/// Names of memory within this process: two mappings share memory if they have one name in one namespace.
///
/// Clones are handles to the same namespace.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    memories: Arc<Mutex<HashMap<String, Weak<File>>>>,
}

impl Namespace {
    /// A namespace without names.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long the memory of a name is, if it exists.
    pub fn len_of(&self, name: &str) -> Option<u64> {
        let memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.get(name)?.upgrade()?.metadata().ok().map(|metadata| metadata.len())
    }

    /// Maps the memory of a name, which is made if it does not exist.
    ///
    /// # Errors
    ///
    /// As [`Mapping::named`](crate::Mapping::named).
    pub fn map(&self, name: &str, options: &MapOptions) -> Result<Native> {
        check_name(name)?;
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memories.get(name).and_then(Weak::upgrade);
        let existing = memory.as_ref().map(|memory| memory.metadata()).transpose()?.map(|metadata| metadata.len());
        let extent = options.extent_of_named(existing, Native::granularity())?;
        let memory = match memory {
            Some(memory) => memory,
            None => Arc::new(file::new_memory_file(extent.len)?),
        };
        let mapping = Native::of_memory_file(
            memory.try_clone()?,
            &extent,
            options,
            Some(NameHold::Namespace(Arc::clone(&memory))),
        )?;
        memories.retain(|_, memory| memory.strong_count() > 0);
        memories.insert(name.to_owned(), Arc::downgrade(&memory));
        Ok(mapping)
    }
}

/// Maps the memory of a name that all processes of this user share.
pub(crate) fn map_shared(name: &str, options: &MapOptions) -> Result<Native> {
    let (file, existing, hold) = system::open(name, options)?;
    let extent = options.extent_of_named(existing, Native::granularity())?;
    Native::of_memory_file(file, &extent, options, Some(NameHold::System(hold)))
}

/// POSIX shared memory. It would outlive its users, who therefore lock it: the last one removes it, and one that finds it without
/// users, after a crash, starts it anew.
#[cfg(target_os = "linux")]
mod system {
    use std::fs::File;
    use std::io;
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{FlockOperation, Mode, flock};
    use rustix::io::Errno;
    use rustix::shm;

    use super::{Error, MapOptions, Result};

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

    /// The memory's file, how long it was if it existed, and the hold on its name.
    pub(super) fn open(name: &str, options: &MapOptions) -> Result<(File, Option<u64>, Name)> {
        let user = rustix::process::geteuid().as_raw();
        // Hexadecimal: a name may have characters that a file's name may not.
        let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("/wasi-mmap-{user}-{hex}");
        for _ in 0..TRIES {
            if let Some(opened) = try_open(&name, options)? {
                return Ok(opened);
            }
        }
        Err(Error::Io(wasi_mmap_core::OsError {
            system: wasi_mmap_core::System::CURRENT,
            code: Errno::AGAIN.raw_os_error(),
            message: "the memory of that name comes and goes too fast".into(),
        }))
    }

    fn try_open(name: &str, options: &MapOptions) -> Result<Option<(File, Option<u64>, Name)>> {
        let flags = shm::OFlags::CREATE | shm::OFlags::RDWR;
        let descriptor = shm::open(name, flags, Mode::RUSR | Mode::WUSR).map_err(io::Error::from)?;
        let file = File::from(descriptor);
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
            return Ok(Some((hold.file.try_clone()?, Some(len), hold)));
        }
        // From here on, an error drops the hold, which removes what was just made.
        let extent = options.extent_of_named(None, rustix::param::page_size() as u64)?;
        hold.file.set_len(0)?;
        hold.file.set_len(extent.len)?;
        // The lock is given up and taken anew: another process may have started the memory in between.
        flock(&hold.file, FlockOperation::LockShared).map_err(io::Error::from)?;
        let metadata = hold.file.metadata()?;
        if metadata.nlink() == 0 || metadata.len() != extent.len {
            return Ok(None);
        }
        Ok(Some((hold.file.try_clone()?, None, hold)))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::fs::File;

    use super::{Error, MapOptions, Result};

    /// A name, of which there is none.
    #[derive(Debug)]
    pub(crate) enum Name {}

    pub(super) fn open(_: &str, _: &MapOptions) -> Result<(File, Option<u64>, Name)> {
        Err(Error::Unsupported("memory with a name on this system".into()))
    }
}
