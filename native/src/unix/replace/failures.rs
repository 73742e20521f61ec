//! Failures on demand, for tests: the nth call that this thread makes fails, before it has done anything, or after it has taken
//! the target away, as kernels do.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI32, AtomicUsize};

/// A call of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Pages are moved over others.
    Move,
    /// A file is mapped.
    MapFile,
    /// Zeros are mapped over a target.
    MapZeros,
    /// Address space is reserved.
    Reserve,
    /// Pages are made accessible.
    Protect,
    /// Memory is taken away.
    Unmap,
    /// A mapping is resized.
    Resize,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// Before it has done anything.
    Before = 1,
    /// After it has taken the target away. A call without a target fails before.
    Taken = 2,
    /// The same, and another thread is given the place at once.
    Stolen = 3,
}

/// What is to be done of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Make,
    Fail(i32),
    TakeAndFail(i32),
}

/// The thread whose calls are counted; 0 if no thread's are.
static THREAD: AtomicI32 = AtomicI32::new(0);
/// Which call fails, from 1 on.
static NTH: AtomicUsize = AtomicUsize::new(0);
/// How it fails, as a number of [`Kind`].
static KIND: AtomicI32 = AtomicI32::new(0);
/// How many calls there were.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Which call has failed, as a number of [`Call`] plus one.
static FAILED: AtomicUsize = AtomicUsize::new(0);

/// Lets the nth call that this thread makes from now on fail, counted from 1. One thread at a time can ask for failures.
///
/// # Panics
///
/// If another thread has asked, and not [ended](end) it.
pub fn fail(nth: usize, kind: Kind) {
    assert_eq!(THREAD.load(SeqCst), 0, "one thread at a time");
    NTH.store(nth, SeqCst);
    KIND.store(kind as i32, SeqCst);
    CALLS.store(0, SeqCst);
    FAILED.store(0, SeqCst);
    THREAD.store(this_thread(), SeqCst);
}

/// Lets all calls be made again. Returns the one that has failed, if it came to that.
pub fn end() -> Option<Call> {
    THREAD.store(0, SeqCst);
    const CALLS: [Call; 7] =
        [Call::Move, Call::MapFile, Call::MapZeros, Call::Reserve, Call::Protect, Call::Unmap, Call::Resize];
    FAILED.load(SeqCst).checked_sub(1).map(|index| CALLS[index])
}

fn this_thread() -> i32 {
    // SAFETY: no precondition.
    unsafe { libc::gettid() }
}

/// Says what is to be done of a call. Async-signal-safe.
pub(super) fn order(call: Call) -> Order {
    let thread = THREAD.load(SeqCst);
    if thread == 0 || thread != this_thread() || CALLS.fetch_add(1, SeqCst) + 1 != NTH.load(SeqCst) {
        return Order::Make;
    }
    FAILED.store(call as usize + 1, SeqCst);
    // As a kernel without memory does.
    match KIND.load(SeqCst) {
        kind if kind == Kind::Before as i32 => Order::Fail(libc::ENOMEM),
        _ => Order::TakeAndFail(libc::ENOMEM),
    }
}

/// Gives the place of a target that was taken away to somebody else, if that was asked for.
pub(super) fn taken(target: &Range<usize>) {
    if KIND.load(SeqCst) != Kind::Stolen as i32 {
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
