//! Failures on demand: calls of one thread fail before they have done anything, or after they have unmapped the target,
//! as they do in kernels.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicUsize};

use super::super::care;
use super::call::{Call, Order};

/// Every call, in the order of their numbers.
const ALL: [Call; 7] =
    [Call::Move, Call::MapFile, Call::MapZeros, Call::Reserve, Call::Protect, Call::Unmap, Call::Resize];

/// The outcome that is ordered for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// It is made.
    Made,
    /// It fails before it has done anything.
    Before,
    /// It fails after it has unmapped the target. A call without a target fails before it has done anything.
    Taken,
    /// As [`Taken`](Self::Taken), and another thread is given the place at once.
    Stolen,
}

/// The number of calls that can have orders.
const MAX_CALLS: usize = 256;

/// The thread whose calls are counted; 0 if no thread's are.
static THREAD: AtomicI32 = AtomicI32::new(0);
/// The outcome of each call, as a number of [`Kind`].
static KINDS: [AtomicI32; MAX_CALLS] = [const { AtomicI32::new(0) }; MAX_CALLS];
/// The number of calls so far.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// The call that failed first, as a number of [`Call`] plus one; 0 if none has.
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Sets the outcomes of the calls that this thread makes from now on, in order. Calls after them are made.
///
/// # Panics
///
/// If a thread has set outcomes and not [ended](end) them; if there are more than 256.
pub fn order_calls(kinds: &[Kind]) {
    order_calls_of(this_thread(), kinds);
}

/// As [`order_calls`], for the calls of another thread of this process, by the number that the system gave it.
///
/// # Panics
///
/// As [`order_calls`].
pub fn order_calls_of(thread: i32, kinds: &[Kind]) {
    assert_eq!(THREAD.load(SeqCst), 0, "one thread at a time");
    assert!(kinds.len() <= MAX_CALLS, "too many calls");
    for (at, kind) in KINDS.iter().enumerate() {
        kind.store(kinds.get(at).map_or(0, |&kind| kind as i32), SeqCst);
    }
    CALLS.store(0, SeqCst);
    FAILED.store(0, SeqCst);
    care::reset();
    THREAD.store(thread, SeqCst);
}

/// Has files mapped elsewhere before they are put over a target, as after a failure of a file system, until
/// [`order_calls`] is called.
pub fn be_careful() {
    care::require();
}

/// Makes the nth call of this thread from now on fail, counted from 1.
///
/// # Panics
///
/// As [`order_calls`].
pub fn fail(nth: usize, kind: Kind) {
    let mut kinds = vec![Kind::Made; nth];
    kinds[nth - 1] = kind;
    order_calls(&kinds);
}

/// Has all calls made again. Returns the first one that failed, if any did.
pub fn end() -> Option<Call> {
    THREAD.store(0, SeqCst);
    FAILED.load(SeqCst).checked_sub(1).map(|index| ALL[index])
}

fn this_thread() -> i32 {
    // SAFETY: `gettid` has no precondition.
    unsafe { libc::gettid() }
}

/// Returns the order for a call. Async-signal-safe.
pub(crate) fn order(call: Call) -> Order {
    let thread = THREAD.load(SeqCst);
    if thread == 0 || thread != this_thread() {
        return Order::Make;
    }
    let kind = KINDS.get(CALLS.fetch_add(1, SeqCst)).map_or(0, |kind| kind.load(SeqCst));
    if kind == Kind::Made as i32 {
        return Order::Make;
    }
    // Only the first failure is kept. No other thread gets here.
    let _ = FAILED.compare_exchange(0, call as usize + 1, SeqCst, SeqCst);
    // The errors of a kernel without memory and of a broken file system.
    if kind == Kind::Before as i32 {
        Order::Fail(libc::ENOMEM)
    } else {
        Order::TakeAndFail(if call == Call::MapFile { libc::EIO } else { libc::ENOMEM })
    }
}

/// Maps foreign memory at a target that was just unmapped, if the order for the last call was [`Kind::Stolen`].
pub(crate) fn taken(target: &Range<usize>) {
    let last = CALLS.load(SeqCst).checked_sub(1).and_then(|last| KINDS.get(last));
    if last.is_none_or(|kind| kind.load(SeqCst) != Kind::Stolen as i32) {
        return;
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED_NOREPLACE;
    let start = ptr::without_provenance_mut(target.start);
    // SAFETY: the call replaces nothing. If it fails, another thread was faster, which serves as well.
    unsafe { libc::mmap(start, target.end - target.start, libc::PROT_READ, flags, -1, 0) };
}

/// Returns an error if a call that is made outside of this module is to fail.
pub(crate) fn check(call: Call) -> io::Result<()> {
    match order(call) {
        Order::Make => Ok(()),
        Order::Fail(error) | Order::TakeAndFail(error) => Err(io::Error::from_raw_os_error(error)),
    }
}
