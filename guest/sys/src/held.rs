//! The files that are held open, and the check that holding works.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustc_hash::FxBuildHasher;

use crate::observer::unobserved;
use crate::sys;

/// The number that the system knows an open file by: a handle in a component, a descriptor in a module.
pub(crate) type Number = i32;

/// The holders of an open file.
#[derive(Debug)]
struct Holders {
    count: usize,
    /// The program has closed the file, so that the last holder closes it.
    is_closed: bool,
}

static HELD: Mutex<Files> = Mutex::new(HashMap::with_hasher(FxBuildHasher));

/// The files that are held.
type Files = HashMap<Number, Holders, FxBuildHasher>;

fn held() -> MutexGuard<'static, Files> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps an open file open until this is dropped.
#[derive(Debug)]
pub(crate) struct Hold(Number);

impl Hold {
    /// Holds a file. The program must have it open.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported), if the C library closes files by another symbol, or if that cannot
    /// be found out; `EBADF`, if the program has closed it.
    pub(crate) fn new(number: Number) -> io::Result<Self> {
        static IS_POSSIBLE: OnceLock<bool> = OnceLock::new();
        if !*IS_POSSIBLE.get_or_init(is_possible) {
            let reason = "this C library closes files by other symbols than those known to wasi-mmap-sys";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let mut held = held();
        let holders = held.entry(number).or_insert(Holders { count: 0, is_closed: false });
        if holders.is_closed {
            // The program gave the number up, and nothing that is open has it.
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        holders.count += 1;
        Ok(Self(number))
    }

    pub(crate) fn number(&self) -> Number {
        self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = held();
        let Some(holders) = held.get_mut(&self.0) else { return };
        holders.count -= 1;
        if holders.count > 0 {
            return;
        }
        let is_closed = holders.is_closed;
        held.remove(&self.0);
        drop(held);
        if is_closed {
            sys::close(self.0);
        }
    }
}

/// Returns whether a file is held.
#[cfg(module)]
pub(crate) fn is_held(number: Number) -> bool {
    held().contains_key(&number)
}

/// Decides about a file that the program closes. Returns true if it is to stay open because it is held.
pub(crate) fn stays_open(number: Number) -> bool {
    CLOSED.set(Some(number));
    match held().get_mut(&number) {
        None => false,
        Some(holders) => {
            holders.is_closed = true;
            true
        }
    }
}

thread_local! {
    /// The file that this thread closed last.
    static CLOSED: Cell<Option<Number>> = const { Cell::new(None) };
}

/// Returns whether the C library closes files by the symbol that this crate defines: opens a directory, and watches it
/// being closed.
fn is_possible() -> bool {
    CLOSED.set(None);
    let number = with_directory(|number| number);
    number.is_some() && CLOSED.take() == number
}

/// Calls `look` with the number of a directory that is opened for it, and closed afterwards. Returns `None` if there is
/// no directory, or if its number cannot be found out.
pub(crate) fn with_directory<T>(look: impl FnOnce(Number) -> T) -> Option<T> {
    // Observers need not know of a directory that the program has not opened.
    unobserved(|| open_directory(look))
}

fn open_directory<T>(look: impl FnOnce(Number) -> T) -> Option<T> {
    /// The descriptors of the directories that a plugin was given follow those of input and output. Without any, there
    /// may be a working directory.
    const DIRECTORIES: Range<i32> = 3..67;
    for directory in DIRECTORIES.chain([libc::AT_FDCWD]) {
        // SAFETY: the name ends with a zero. A number that is not an open directory is an error.
        let opened = unsafe { libc::openat(directory, c".".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) };
        if opened < 0 {
            continue;
        }
        let result = sys::number_of(opened).ok().map(look);
        // SAFETY: the descriptor was opened just now, and no one else has it.
        unsafe { libc::close(opened) };
        return result;
    }
    None
}
