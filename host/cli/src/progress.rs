//! Progress on work that takes more than a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Does some work, and says so on a terminal once it has taken a second.
pub(super) fn spin<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a template"));
    bar.set_message(what.to_owned());
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let shown = bar.clone();
    let watch = std::thread::spawn(move || {
        // Disconnected: the work is done. Timed out: it takes long.
        if wait.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(100));
            let _ = wait.recv();
            shown.finish_and_clear();
        }
    });
    let outcome = work();
    drop(done);
    // The thread ends at once; a panic in it would concern the display alone.
    let _ = watch.join();
    outcome
}
