//! The steps of a call: between two of them an async store yields, and an interrupt is noticed.

use std::fmt;
use std::time::Duration;

use wasi_mmap_core::Result;
use wasmtime::component::WasmList;
use wasmtime::{StoreContext, bail};

use crate::ctx::Interrupt;

/// The steps of a call whose arguments were checked.
pub(crate) struct Steps<R> {
    /// The name of the operation, for the trap of an interrupt.
    operation: &'static str,
    interrupt: Interrupt,
    /// The bytes that the plugin passed. They stay where they are in its memory, since it does not run.
    bytes: Option<WasmList<u8>>,
    step: Step<R>,
    /// The time until the next step, if the steps wait for others.
    pause: Option<Duration>,
}

/// The first pause between steps that wait for others.
const FIRST_PAUSE: Duration = Duration::from_micros(50);

/// The longest pause: how long an interrupt waits.
const MAX_PAUSE: Duration = Duration::from_millis(5);

/// Does the next step with the bytes that the plugin passed, and returns the result after the last.
type Step<R> = Box<dyn FnMut(&[u8]) -> Option<Result<R>> + Send>;

impl<R> Steps<R> {
    pub(super) fn new(
        operation: &'static str,
        interrupt: Interrupt,
        step: impl FnMut(&[u8]) -> Option<Result<R>> + Send + 'static,
    ) -> Self {
        Self { operation, interrupt, bytes: None, step: Box::new(step), pause: None }
    }

    /// Pauses between the steps, which wait for others: longer and longer, up to [`MAX_PAUSE`].
    pub(super) fn with_pauses(self) -> Self {
        Self { pause: Some(FIRST_PAUSE), ..self }
    }

    /// Returns the time until the next step; `None` if it need not wait.
    pub(crate) fn next_pause(&mut self) -> Option<Duration> {
        let pause = self.pause?;
        self.pause = Some((pause * 2).min(MAX_PAUSE));
        Some(pause)
    }

    /// Passes bytes of the plugin to each step.
    pub(super) fn with_bytes(self, bytes: WasmList<u8>) -> Self {
        Self { bytes: Some(bytes), ..self }
    }

    /// Does the next step, and returns the result after the last.
    ///
    /// # Errors
    ///
    /// A trap, if the embedder has interrupted the plugin.
    pub(crate) fn step<'a, T: 'static>(
        &mut self,
        store: impl Into<StoreContext<'a, T>>,
    ) -> wasmtime::Result<Option<Result<R>>> {
        if self.interrupt.is_set() {
            bail!("the embedder interrupted the plugin in {}", self.operation);
        }
        Ok((self.step)(self.bytes.as_ref().map_or(&[], |bytes| bytes.as_le_slice(store))))
    }
}

impl<R> fmt::Debug for Steps<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").field("operation", &self.operation).finish_non_exhaustive()
    }
}
