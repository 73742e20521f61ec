//! A progress indicator.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Runs `work`, and shows a spinner on a terminal once it has taken a second.
pub(crate) fn spin<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("a template"));
    bar.set_message(what.to_owned());
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let shown = bar.clone();
    let watch = std::thread::spawn(move || {
        // The channel is disconnected when the work is done.
        if wait.recv_timeout(Duration::from_secs(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.enable_steady_tick(Duration::from_millis(100));
            let _ = wait.recv();
            shown.finish_and_clear();
        }
    });
    let outcome = work();
    drop(done);
    // The thread ends at once. A panic in it would affect nothing but the display.
    let _ = watch.join();
    outcome
}
