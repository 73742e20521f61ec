//! The thread that ends the process when a lease's bytes are not copied in time.
//!
//! The thread that copies them cannot do that itself: it may wait for a disk that does not respond, longer than the
//! kernel lets a writer wait.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::signals::block_signals;
use crate::sys::die;

/// The deadlines of the leases whose bytes are being copied. Whoever holds this lock takes no other.
static DEADLINES: Mutex<Vec<Instant>> = Mutex::new(Vec::new());
static ADDED: Condvar = Condvar::new();

fn deadlines() -> MutexGuard<'static, Vec<Instant>> {
    DEADLINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A deadline by which this must be dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// Ends the process at `deadline`, unless this is dropped before. [`start`] must have succeeded.
    pub(super) fn set(deadline: Instant) -> Self {
        deadlines().push(deadline);
        ADDED.notify_one();
        Self(deadline)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let mut deadlines = deadlines();
        if let Some(index) = deadlines.iter().position(|deadline| *deadline == self.0) {
            deadlines.swap_remove(index);
        }
    }
}

/// Starts the thread, once per process.
///
/// # Errors
///
/// The error of starting a thread.
pub(super) fn start() -> io::Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if *started {
        return Ok(());
    }
    let thread = std::thread::Builder::new().name("wasi-mmap-late".into()).stack_size(64 << 10);
    thread.spawn(run)?;
    *started = true;
    Ok(())
}

fn run() {
    // If it fails, handlers of the program may run in this thread, too.
    let _ = block_signals();
    let mut waiting = deadlines();
    loop {
        waiting = match waiting.iter().min() {
            None => ADDED.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            Some(&next) => {
                let now = Instant::now();
                if now >= next {
                    die("the bytes of a leased file could not be copied before another process writes: too slow");
                }
                ADDED.wait_timeout(waiting, next - now).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::alone;

    /// The thread that copies waits for a disk, for example.
    #[test]
    fn a_copy_that_hangs_ends_the_process_in_time() {
        let name = "stability::linux::deadline::tests::a_copy_that_hangs_ends_the_process_in_time";
        let Some(output) = alone::run(name) else {
            start().expect("a thread");
            drop(Deadline::set(Instant::now() + Duration::from_millis(300)));
            let _later = Deadline::set(Instant::now() + Duration::from_secs(3600));
            std::thread::sleep(Duration::from_millis(600));
            println!("the first was in time");
            let _hanging = Deadline::set(Instant::now() + Duration::from_millis(100));
            std::thread::sleep(Duration::from_secs(20));
            panic!("the process goes on");
        };
        assert!(!output.succeeded && output.stdout.contains("in time"), "{output:?}");
        assert!(output.stderr.contains("too slow") && !output.stderr.contains("goes on"), "{output:?}");
    }
}
