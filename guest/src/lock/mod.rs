//! Locks on files, which keep programs from using the same bytes at the same time: `fcntl(2)` and `flock(2)`.
//!
//! They are those of the system on Linux, natively and in a plugin whose host is there. On other systems, on the
//! fallback, and in modules for preview 1, [`FileLock::new`] returns [`Error::Unsupported`](crate::Error::Unsupported):
//! a lock that only seems to be one would let two programs destroy each other's data.
//!
//! ```
//! use wasi_mmap::Error;
//! use wasi_mmap::lock::{FileLock, LockKind};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("counter");
//! let file = std::fs::File::create_new(&path)?;
//! match FileLock::new(&file) {
//!     Ok(lock) => {
//!         lock.lock(.., LockKind::Exclusive)?; // waits for others
//!         std::fs::write(&path, "1")?;
//!         lock.unlock(..)?;
//!     }
//!     Err(Error::Unsupported(reason)) => eprintln!("there are no locks here: {reason}"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(imported)]
mod imported;
#[cfg(all(target_family = "wasm", not(imported)))]
mod unsupported;

#[cfg(imported)]
pub use imported::FileLock;
#[cfg(all(target_family = "wasm", not(imported)))]
pub use unsupported::FileLock;
#[cfg(not(target_family = "wasm"))]
pub use wasi_mmap_native::FileLock;

pub use wasi_mmap_core::{HeldLock, LockKind, LockRange};
