//! Failures on demand, for tests: calls that this thread makes fail before they have done anything, or after they have taken the
//! target away, as kernels do.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicUsize};

pub use super::call::Call;
use super::call::Order;
use super::files::care;

/// Every call, in the order of their numbers.
const ALL: [Call; 7] =
    [Call::Move, Call::MapFile, Call::MapZeros, Call::Reserve, Call::Protect, Call::Unmap, Call::Resize];

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// It is made.
    Made,
    /// It fails before it has done anything.
    Before,
    /// It fails after it has taken the target away. A call without a target fails before.
    Taken,
    /// The same, and another thread is given the place at once.
    Stolen,
}

/// How many calls there can be orders for.
const MOST: usize = 256;

/// The thread whose calls are counted; 0 if no thread's are.
static THREAD: AtomicI32 = AtomicI32::new(0);
/// What becomes of each call, as numbers of [`Kind`].
static KINDS: [AtomicI32; MOST] = [const { AtomicI32::new(0) }; MOST];
/// How many calls there were.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Which call has failed first, as a number of [`Call`] plus one.
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Says what becomes of the calls that this thread makes from now on, one after the other; later ones are made.
///
/// # Panics
///
/// If another thread has said so, and not [ended](end) it; if there are more than 256.
pub fn order_calls(kinds: &[Kind]) {
    assert_eq!(THREAD.load(SeqCst), 0, "one thread at a time");
    assert!(kinds.len() <= MOST, "too many calls");
    for (at, kind) in KINDS.iter().enumerate() {
        kind.store(kinds.get(at).map_or(0, |&kind| kind as i32), SeqCst);
    }
    CALLS.store(0, SeqCst);
    FAILED.store(0, SeqCst);
    care::forget();
    THREAD.store(this_thread(), SeqCst);
}

/// Lets files be mapped elsewhere before they are put over a target, as after a file system has failed, until calls are
/// [ordered](order_calls) the next time.
pub fn be_careful() {
    care::take();
}

/// Lets the nth call that this thread makes from now on fail, counted from 1.
///
/// # Panics
///
/// As [`order_calls`].
pub fn fail(nth: usize, kind: Kind) {
    let mut kinds = vec![Kind::Made; nth];
    kinds[nth - 1] = kind;
    order_calls(&kinds);
}

/// Lets all calls be made again. Returns the first one that has failed, if it came to that.
pub fn end() -> Option<Call> {
    THREAD.store(0, SeqCst);
    FAILED.load(SeqCst).checked_sub(1).map(|index| ALL[index])
}

fn this_thread() -> i32 {
    // SAFETY: no precondition.
    unsafe { libc::gettid() }
}

/// Says what is to be done of a call. Async-signal-safe.
pub(super) fn order(call: Call) -> Order {
    let thread = THREAD.load(SeqCst);
    if thread == 0 || thread != this_thread() {
        return Order::Make;
    }
    let kind = KINDS.get(CALLS.fetch_add(1, SeqCst)).map_or(0, |kind| kind.load(SeqCst));
    if kind == Kind::Made as i32 {
        return Order::Make;
    }
    // The first one stays. It was called by this thread alone.
    let _ = FAILED.compare_exchange(0, call as usize + 1, SeqCst, SeqCst);
    // As a kernel without memory does, or a file system that is broken.
    if kind == Kind::Before as i32 {
        Order::Fail(libc::ENOMEM)
    } else {
        Order::TakeAndFail(if call == Call::MapFile { libc::EIO } else { libc::ENOMEM })
    }
}

/// Gives the place of a target that was taken away to somebody else, if that was asked for of the last call.
pub(super) fn taken(target: &Range<usize>) {
    let last = CALLS.load(SeqCst).checked_sub(1).and_then(|last| KINDS.get(last));
    if last.is_none_or(|kind| kind.load(SeqCst) != Kind::Stolen as i32) {
        return;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED_NOREPLACE;
    let start = ptr::without_provenance_mut(target.start);
    // SAFETY: nothing is replaced. If it fails, another thread was faster, and that is what this is for.
    unsafe { libc::mmap(start, target.end - target.start, libc::PROT_READ, flags, -1, 0) };
}

/// Returns an error if a call that is made elsewhere is to fail.
pub(crate) fn check(call: Call) -> io::Result<()> {
    match order(call) {
        Order::Make => Ok(()),
        Order::Fail(error) | Order::TakeAndFail(error) => Err(io::Error::from_raw_os_error(error)),
    }
}
