//! What the command says on standard error beside errors: warnings, and the progress of long work.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Standard error, on which a quiet command writes errors alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// Write neither warnings nor progress.
    pub(crate) quiet: bool,
}

impl Console {
    /// Prints a warning.
    pub(crate) fn warn(self, what: impl Display) {
        if !self.quiet {
            eprintln!("warning: {what}");
        }
    }

    /// Prints what may help after an error.
    pub(crate) fn note(self, what: impl Display) {
        if !self.quiet {
            eprintln!("note: {what}");
        }
    }

    /// Runs `work`, and shows a spinner on a terminal once it has taken a second.
    pub(crate) fn spin<T>(self, what: &str, work: impl FnOnce() -> T) -> T {
        if self.quiet {
            return work();
        }
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
}
