//! Long calls, in pieces: between two of them an async store yields, and an interrupt is noticed.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wasi_mmap_core::{Pieces, Result, Storage};
use wasmtime::bail;

use crate::ctx::Interrupt;
use crate::mapping::HostMapping;

/// How many bytes are searched at a time: about a millisecond.
const PIECE: u64 = 16 * 1024 * 1024;

/// A search of a mapping, from either end.
#[derive(Debug)]
pub(crate) struct Search {
    mapping: Arc<HostMapping>,
    needle: Vec<u8>,
    pieces: Pieces,
    backward: bool,
    interrupt: Interrupt,
}

/// What a search knows after a piece.
#[derive(Debug)]
pub(crate) enum Progress {
    /// It goes on.
    More,
    /// It has its answer.
    Done(Result<Option<u64>>),
}

impl Search {
    /// A search for `needle`, which is not empty, in a range that was checked.
    pub(crate) fn new(
        mapping: Arc<HostMapping>,
        needle: Vec<u8>,
        range: Range<u64>,
        backward: bool,
        interrupt: Interrupt,
    ) -> Self {
        let len = needle.len() as u64;
        let pieces = if backward { Pieces::backward(range, len, PIECE) } else { Pieces::forward(range, len, PIECE) };
        Self { mapping, needle, pieces, backward, interrupt }
    }

    /// Searches the next piece.
    ///
    /// # Errors
    ///
    /// Where the embedder has interrupted the plugin: a trap.
    pub(crate) fn step(&mut self) -> wasmtime::Result<Progress> {
        if self.interrupt.is_set() {
            bail!("the embedder interrupted the plugin in a search");
        }
        let Some(piece) = self.pieces.next() else {
            return Ok(Progress::Done(Ok(None)));
        };
        let mapping = self.mapping.lock();
        let found = mapping.storage().and_then(|storage| {
            if self.backward { storage.rfind(&self.needle, piece) } else { storage.find(&self.needle, piece) }
        });
        Ok(match found {
            Ok(None) => Progress::More,
            answer => Progress::Done(answer),
        })
    }

    /// Searches to the end, without a pause.
    pub(crate) fn run(mut self) -> wasmtime::Result<Result<Option<u64>>> {
        loop {
            if let Progress::Done(answer) = self.step()? {
                return Ok(answer);
            }
        }
    }

    /// Searches to the end, and lets others run between two pieces.
    pub(crate) async fn run_async(mut self) -> wasmtime::Result<Result<Option<u64>>> {
        loop {
            if let Progress::Done(answer) = self.step()? {
                return Ok(answer);
            }
            Yield::default().await;
        }
    }
}

/// Gives way once, on any executor.
#[derive(Debug, Default)]
struct Yield {
    done: bool,
}

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
