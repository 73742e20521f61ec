//! Sleeping in an async store, whichever executor runs it: one thread of the process wakes all tasks.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// A future that is ready after some time.
#[derive(Debug)]
pub(crate) struct Sleep {
    until: Instant,
}

impl Sleep {
    pub(crate) fn new(time: Duration) -> Self {
        Self { until: Instant::now() + time }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(());
        }
        wake_at(self.until, cx.waker().clone());
        Poll::Pending
    }
}

/// A task to be woken, and the time for it.
type Alarm = (Instant, Waker);

/// Wakes a task at some time, or at once if there is no thread that could do it later.
fn wake_at(time: Instant, waker: Waker) {
    static TIMER: OnceLock<Option<Sender<Alarm>>> = OnceLock::new();
    let timer = TIMER.get_or_init(|| {
        let (sender, receiver) = channel();
        thread::Builder::new().name("wasi-mmap timer".into()).spawn(move || run(&receiver)).ok().map(|_| sender)
    });
    let refused = match timer {
        Some(timer) => timer.send((time, waker)).err().map(|refused| refused.0.1),
        None => Some(waker),
    };
    if let Some(waker) = refused {
        waker.wake();
    }
}

/// Wakes tasks, each in its time.
fn run(receiver: &Receiver<Alarm>) {
    let (mut alarms, mut count) = (BTreeMap::new(), 0u64);
    loop {
        let alarm = match alarms.first_key_value() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some((&(time, _), _)) => receiver.recv_timeout(Instant::saturating_duration_since(&time, Instant::now())),
        };
        match alarm {
            Ok((time, waker)) => {
                // The number tells alarms of one time apart.
                count += 1;
                alarms.insert((time, count), waker);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some(entry) = alarms.first_entry().filter(|entry| entry.key().0 <= Instant::now()) {
            let waker: Waker = entry.remove();
            waker.wake();
        }
    }
}
