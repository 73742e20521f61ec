//! A thread that shows in windows what their files have grown by, also if nobody asks.
//!
//! It looks for zeros past the end of a file every few milliseconds, as long as there are windows that may have some.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::placed::{WeakWindow, Window};

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// The number of looks after which detached windows are forgotten.
const LOOKS: u32 = 100;

/// The windows that may reach past the end of their files, some of which may be detached already.
static WINDOWS: Mutex<Vec<WeakWindow>> = Mutex::new(Vec::new());

/// Notified when there are windows again.
static ADDED: Condvar = Condvar::new();

fn windows() -> MutexGuard<'static, Vec<WeakWindow>> {
    WINDOWS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread, once per process.
///
/// # Errors
///
/// The error of starting it.
pub(crate) fn start_watching() -> io::Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut is_started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*is_started {
        thread::Builder::new().name("wasi-mmap growth".into()).spawn(run)?;
        *is_started = true;
    }
    Ok(())
}

/// Adds a window, from now until it is detached. The thread must have been [started](start_watching).
pub(crate) fn watch(window: &Window) {
    let mut windows = windows();
    if windows.len() == windows.capacity() {
        windows.retain(WeakWindow::may_reach_beyond_end);
    }
    windows.push(window.downgrade());
    drop(windows);
    ADDED.notify_one();
}

fn run() {
    loop {
        {
            let mut windows = windows();
            windows.retain(WeakWindow::may_reach_beyond_end);
            while windows.is_empty() {
                windows = ADDED.wait(windows).unwrap_or_else(PoisonError::into_inner);
            }
        }
        for _ in 0..LOOKS {
            thread::sleep(PAUSE);
            if Window::any_shows_zeros() {
                let windows: Vec<_> = windows().iter().filter_map(WeakWindow::upgrade).collect();
                for window in windows {
                    // A window that cannot be changed counts as lost, which its check returns.
                    let _ = window.show_growth();
                }
            }
        }
    }
}
