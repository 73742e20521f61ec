//! The program's ordinary file I/O, as those see it who keep bytes of files in memory.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use rustc_hash::FxBuildHasher;

/// Keeps bytes of files in memory, and is told of the program's ordinary reads and writes of these files.
///
/// A file is named by its [identity](crate::HeldFile::id). Ranges are in bytes of the file, and may be wider than what
/// is read or written.
pub trait Observer: Sync {
    /// The program is about to read or write a range of a file, or to make it durable. Changes in memory belong into
    /// the file now.
    fn before(&self, file: (u64, u64), range: &Range<u64>);

    /// The program has written a range of a file, or has changed its length. What is in memory is no longer what is in
    /// the file.
    fn after_write(&self, file: (u64, u64), range: &Range<u64>);
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

    /// The identities of the program's files by the numbers that the system knows them by, as far as they were asked
    /// for.
    static IDS: RefCell<HashMap<i32, (u64, u64), FxBuildHasher>> = const { RefCell::new(HashMap::with_hasher(FxBuildHasher)) };
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

/// Forgets a number that is given up, and that may stand for another file soon.
pub(crate) fn forget(number: i32) {
    IDS.with_borrow_mut(|ids| ids.remove(&number));
}

/// Returns the identity of a file, which `ask` asks the system for. `None` if nobody watches, or if it has none.
fn id(number: i32, ask: impl FnOnce() -> Option<(u64, u64)>) -> Option<(u64, u64)> {
    if !is_watched() {
        return None;
    }
    if let Some(id) = IDS.with_borrow(|ids| ids.get(&number).copied()) {
        return Some(id);
    }
    let id = unobserved(ask)?;
    IDS.with_borrow_mut(|ids| ids.insert(number, id));
    Some(id)
}

/// Tells that a range of a file is going to be read or written.
pub(crate) fn tell_before(number: i32, range: &Range<u64>, ask: impl FnOnce() -> Option<(u64, u64)>) {
    if let Some(id) = id(number, ask) {
        unobserved(|| tell(|observer| observer.before(id, range)));
    }
}

/// Tells that a range of a file was written.
pub(crate) fn tell_after_write(number: i32, range: &Range<u64>, ask: impl FnOnce() -> Option<(u64, u64)>) {
    if let Some(id) = id(number, ask) {
        unobserved(|| tell(|observer| observer.after_write(id, range)));
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
