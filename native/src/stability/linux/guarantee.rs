//! What holds the bytes of a file still: a seal, fs-verity, a file system that is only read, or a read lease.
//!
//! A lease is the only one of them that ends: when somebody wants to write, what was promised to stay is [copied](copy), and the
//! lease given up. The thread that does so is in [`watch`].

mod copy;
mod fcntl;
mod kinds;
mod lease;
mod watch;

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::Result;

use crate::stable::Held;
use lease::Lease;

/// A hold on the bytes of a file.
#[derive(Debug, Clone)]
pub(crate) enum Hold {
    /// Nobody can change them as long as the file exists.
    Fixed(Held),
    /// Whoever wants to change them waits for us.
    Lease(Arc<Lease>),
}

impl Hold {
    /// Takes hold of a file's bytes, by the strongest promise that can be had.
    ///
    /// A file system that is mounted to be read comes last: who administers the machine can mount it anew.
    ///
    /// # Errors
    ///
    /// `unsupported`, with the reason.
    pub(crate) fn of(file: &File) -> Result<Self> {
        if let Some(held) = kinds::fixed(file)? {
            return Ok(Self::Fixed(held));
        }
        match Lease::take(file) {
            Ok(lease) => Ok(Self::Lease(lease)),
            Err(_) if kinds::is_mounted_read_only(file) => Ok(Self::Fixed(Held::ReadOnly)),
            Err(refused) => Err(refused),
        }
    }

    /// The same for a file that nobody can change for as long as it exists.
    ///
    /// # Errors
    ///
    /// `unsupported`.
    pub(crate) fn of_fixed(file: &File) -> Result<Self> {
        match kinds::fixed(file)? {
            Some(held) => Ok(Self::Fixed(held)),
            None if kinds::is_mounted_read_only(file) => Ok(Self::Fixed(Held::ReadOnly)),
            None => Err(kinds::refuse("it can be written")),
        }
    }

    /// How the bytes are held now.
    pub(crate) fn held(&self) -> Held {
        match self {
            Self::Fixed(held) => *held,
            Self::Lease(lease) if lease.is_broken() => Held::Copied,
            Self::Lease(_) => Held::Lease,
        }
    }

    /// Maps the file with `map`, and holds the bytes of that memory as well. No lease ends in between.
    ///
    /// # Safety
    ///
    /// Once `map` has succeeded, the memory is whole pages, mapped privately from the file that is held, or what a repair of faults
    /// put there. Until the
    /// place is dropped it stays mapped, is replaced by nobody but through [`Place::lock`], and may be replaced at any moment
    /// by other memory with the same bytes that can be read and written.
    ///
    /// # Errors
    ///
    /// `unsupported`: somebody has begun to write since the hold was taken, and `map` was not called; the errors of `map`.
    pub(crate) unsafe fn keep<T>(&self, memory: Range<usize>, map: impl FnOnce() -> Result<T>) -> Result<(Place, T)> {
        let mapped = match self {
            Self::Fixed(_) => map()?,
            // SAFETY: the caller's promise.
            Self::Lease(lease) => unsafe { lease.keep(memory.clone(), map) }?,
        };
        Ok((Place { hold: self.clone(), memory }, mapped))
    }
}

/// Memory whose bytes are held, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Place {
    hold: Hold,
    memory: Range<usize>,
}

impl Place {
    /// How the memory is held now.
    pub(crate) fn held(&self) -> Held {
        self.hold.held()
    }

    /// Keeps a break of the lease away from the memory, so that it can be replaced. Waits for one that is under way.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked(match &self.hold {
            Hold::Fixed(_) => None,
            Hold::Lease(lease) => Some((lease.state(), &self.memory)),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lock().forget();
    }
}

/// A place that no break of its lease touches meanwhile.
pub(crate) struct Locked<'a>(Option<(lease::StateGuard<'a>, &'a Range<usize>)>);

impl Locked<'_> {
    /// Holds the memory no longer.
    pub(crate) fn forget(self) {
        if let Some((mut state, memory)) = self.0 {
            state.forget(memory);
        }
    }
}
