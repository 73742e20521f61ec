//! The program's ordinary file I/O, as those see it who keep bytes of files in memory.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::HeldFile;

/// Keeps bytes of files in memory, and is told of the program's ordinary reads and writes of files.
///
/// Which of its files one is, the observer finds out with [`HeldFile::is_same`]. Ranges are in bytes of the file, and may
/// be wider than what is read or written.
pub trait Observer: Sync {
    /// The program is about to read or write a range of a file, or to make it durable. Changes in memory belong into
    /// the file now.
    fn before(&self, file: &HeldFile, range: &Range<u64>);

    /// The program has written a range of a file, or has changed its length. What is in memory is no longer what is in
    /// the file.
    fn after_write(&self, file: &HeldFile, range: &Range<u64>);

    /// The program is about to close a descriptor of a file. Observers are told even if there is no [`Watch`].
    fn before_close(&self, _file: &HeldFile) {}
}

static OBSERVERS: Mutex<Vec<&'static dyn Observer>> = Mutex::new(Vec::new());

static WATCHES: AtomicUsize = AtomicUsize::new(0);

/// Adds an observer, for the rest of the program.
pub fn add_observer(observer: &'static dyn Observer) {
    OBSERVERS.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
}

/// A reason to tell observers of the program's I/O. As long as there is none, it goes its way without a look at it.
#[derive(Debug)]
pub struct Watch(());

impl Watch {
    /// Makes a reason.
    #[expect(clippy::new_without_default, reason = "it is not a value, but has an effect")]
    #[must_use]
    pub fn new() -> Self {
        WATCHES.fetch_add(1, Relaxed);
        Self(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHES.fetch_sub(1, Relaxed);
    }
}

thread_local! {
    /// This thread does I/O for an observer.
    static IS_UNOBSERVED: Cell<bool> = const { Cell::new(false) };
}

/// Does I/O of which observers are not told: that of an observer itself.
pub fn unobserved<T>(operate: impl FnOnce() -> T) -> T {
    let was_unobserved = IS_UNOBSERVED.replace(true);
    let result = operate();
    IS_UNOBSERVED.set(was_unobserved);
    result
}

/// Returns whether observers are to be told.
pub(crate) fn is_watched() -> bool {
    WATCHES.load(Relaxed) > 0 && !IS_UNOBSERVED.get()
}

/// Tells that a range of a file is going to be read or written. `file` is only made if somebody watches.
pub(crate) fn tell_before(range: &Range<u64>, file: impl FnOnce() -> HeldFile) {
    if is_watched() {
        let file = file();
        unobserved(|| tell(|observer| observer.before(&file, range)));
    }
}

/// Tells that a range of a file was written.
pub(crate) fn tell_after_write(range: &Range<u64>, file: impl FnOnce() -> HeldFile) {
    if is_watched() {
        let file = file();
        unobserved(|| tell(|observer| observer.after_write(&file, range)));
    }
}

/// Tells that the program is about to close a file. `file` is only made if there is an observer.
pub(crate) fn tell_before_close(file: impl FnOnce() -> HeldFile) {
    if !IS_UNOBSERVED.get() && !OBSERVERS.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        let file = file();
        unobserved(|| tell(|observer| observer.before_close(&file)));
    }
}

/// Tells all observers.
fn tell(notice: impl Fn(&dyn Observer)) {
    // An observer may do I/O of its own, and must find no lock held.
    let count = OBSERVERS.lock().unwrap_or_else(PoisonError::into_inner).len();
    for index in 0..count {
        let observer = OBSERVERS.lock().unwrap_or_else(PoisonError::into_inner)[index];
        notice(observer);
    }
}

/// A whole file.
pub(crate) const EVERYTHING: Range<u64> = 0..u64::MAX;

/// Returns the range of a read or a write. One without a sensible end goes to the end of the file.
pub(crate) fn range(offset: u64, length: u64) -> Range<u64> {
    offset..offset.saturating_add(length)
}
