//! Threads of the host that allocate, spawn and free all the time: if a failed call leaves memory unmapped, they
//! are given it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

/// The size of each block of memory in bytes: large enough that the allocator asks the system for each.
const PIECES: [usize; 3] = [256 << 10, 1 << 20, 16 << 20];

/// Threads that run until they are [dismissed](Self::dismiss).
pub struct Neighbours {
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Neighbours {
    pub fn new() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || live(number, &done))
        };
        let threads = (1..=2).map(start).collect();
        Self { done, threads }
    }

    /// Ends the threads, and returns how much memory they have had, in pieces.
    ///
    /// # Panics
    ///
    /// If anybody has changed their memory.
    pub fn dismiss(self) -> usize {
        self.done.store(true, Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("nobody has changed its memory")).sum()
    }
}

fn live(number: u8, done: &AtomicBool) -> usize {
    let mut count = 0_usize;
    let mut kept = Vec::new();
    while !done.load(Relaxed) {
        let len = PIECES[count % PIECES.len()];
        let mut piece = vec![0_u8; len];
        for at in (0..len).step_by(4096) {
            assert_eq!(piece[at], 0, "new memory is zeros");
            piece[at] = number;
        }
        kept.push(piece);
        if kept.len() > 4 {
            let oldest = kept.remove(0);
            assert!(oldest.iter().step_by(4096).all(|&byte| byte == number), "memory of the host was changed");
        }
        if count.is_multiple_of(16) {
            // A stack of its own.
            let stack = std::thread::spawn(move || {
                let mut array = [number; 64 << 10];
                std::thread::yield_now();
                assert!(std::hint::black_box(&mut array).iter().all(|&byte| byte == number), "a stack was changed");
            });
            stack.join().expect("nobody has changed its stack");
        }
        count += 1;
    }
    assert!(kept.iter().flat_map(|piece| piece.iter().step_by(4096)).all(|&byte| byte == number));
    count
}
