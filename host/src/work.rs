//! Long calls, in pieces: between two of them an async store yields, and an interrupt is noticed.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wasi_mmap_core::{Chunks, Internals, Result, Storage};
use wasmtime::component::WasmList;
use wasmtime::{StoreContext, bail};

use crate::ctx::Interrupt;
use crate::mapping::HostMapping;

/// How many bytes are worked on at a time: about a millisecond.
pub(crate) const PIECE: u64 = 16 * 1024 * 1024;

/// A call that takes long, whose arguments were checked.
pub(crate) struct Job<R> {
    what: &'static str,
    interrupt: Interrupt,
    /// The bytes that the plugin passed, if the work is on them. They stay where they are in its memory, since it does not run.
    bytes: Option<WasmList<u8>>,
    piece: Piece<R>,
}

/// Works on the next piece, with the bytes that the plugin passed; returns the outcome once all is done.
type Piece<R> = Box<dyn FnMut(&[u8]) -> Option<Result<R>> + Send>;

impl<R> Job<R> {
    /// A job without bytes.
    pub(crate) fn new(
        what: &'static str,
        interrupt: Interrupt,
        piece: impl FnMut(&[u8]) -> Option<Result<R>> + Send + 'static,
    ) -> Self {
        Self { what, interrupt, bytes: None, piece: Box::new(piece) }
    }

    /// Passes bytes of the plugin's to each piece.
    pub(crate) fn with(self, bytes: WasmList<u8>) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// Works on a piece.
    ///
    /// # Errors
    ///
    /// Where the embedder has interrupted the plugin: a trap.
    pub(crate) fn step<'a, T: 'static>(
        &mut self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> wasmtime::Result<Option<Result<R>>> {
        if self.interrupt.is_set() {
            bail!("the embedder interrupted the plugin in {}", self.what);
        }
        Ok((self.piece)(self.bytes.as_ref().map_or(&[], |bytes| bytes.as_le_slice(store))))
    }
}

impl Job<Option<u64>> {
    /// A search for `needle`, which is not empty, from either end of a range.
    pub(crate) fn search(
        mapping: Arc<HostMapping>,
        needle: Vec<u8>,
        range: Range<u64>,
        backward: bool,
        interrupt: Interrupt,
    ) -> Self {
        let len = needle.len() as u64;
        // Chunks overlap by the needle: where it is long, they must be longer, or most of the work would be done twice.
        let step = PIECE.max(len);
        let mut pieces = if backward { Chunks::backward(range, len, step) } else { Chunks::forward(range, len, step) };
        Self::new("a search", interrupt, move |_| {
            let Some(piece) = pieces.next() else { return Some(Ok(None)) };
            let mapping = mapping.lock();
            let found = mapping.storage().and_then(|storage| {
                if backward { storage.rfind(&needle, piece) } else { storage.find(&needle, piece) }
            });
            match found {
                Ok(None) => None,
                answer => Some(answer),
            }
        })
    }
}

impl Job<()> {
    /// Sets every byte of a range of a mapping for writing.
    pub(crate) fn fill(mapping: Arc<HostMapping>, range: Range<u64>, byte: u8, interrupt: Interrupt) -> Self {
        let mut pieces = Chunks::forward(range, 1, PIECE);
        Self::new("a fill", interrupt, move |_| {
            let Some(piece) = pieces.next() else { return Some(Ok(())) };
            mapping.lock().fill(piece, byte).err().map(Err)
        })
    }

    /// Copies a range of `source`, or of the mapping itself, to `destination` in a mapping for writing.
    pub(crate) fn copy(
        mapping: Arc<HostMapping>,
        source: Option<Arc<HostMapping>>,
        range: Range<u64>,
        destination: u64,
        interrupt: Interrupt,
    ) -> Self {
        let start = range.start;
        // From the end where the copy goes up: a piece must be read before it is overwritten.
        let mut pieces = if source.is_none() && destination > start {
            Chunks::backward(range, 1, PIECE)
        } else {
            Chunks::forward(range, 1, PIECE)
        };
        Self::new("a copy", interrupt, move |_| {
            let Some(piece) = pieces.next() else { return Some(Ok(())) };
            let (to, count) = (destination + (piece.start - start), piece.end - piece.start);
            // One store's calls come one after the other, so that two locks cannot be taken in the other order meanwhile.
            let mut mapping = mapping.lock();
            let copied = match &source {
                Some(source) => mapping.copy_from(&source.lock(), piece.start..piece.start + count, to),
                None => mapping.copy_within(piece.start..piece.start + count, to),
            };
            copied.err().map(Err)
        })
    }
}

impl<R> fmt::Debug for Job<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("what", &self.what).finish_non_exhaustive()
    }
}

/// Gives way once, on any executor.
#[derive(Debug, Default)]
pub(crate) struct Yield {
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
