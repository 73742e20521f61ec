//! The calls that may take long.
//!
//! Each checks its arguments by the rules of `core` and the store's limits. It does at once what is short, and the rest
//! in [steps](Steps).

pub(crate) mod compare;
pub(crate) mod copy;
pub(crate) mod fill;
pub(crate) mod lock;
pub(crate) mod read;
pub(crate) mod search;
mod steps;
mod strided;
pub(crate) mod write;

use std::ops::Range;
use std::sync::Arc;

use wasi_mmap_core::{Error, Result};
use wasmtime::component::WasmList;

pub(crate) use self::steps::Steps;
use crate::ctx::Interrupt;
use crate::limits::Limits;
use crate::mapping::HostMapping;

/// The number of bytes that one step works on: about a millisecond.
const CHUNK: u64 = 16 * 1024 * 1024;

/// A call that begins: its mapping, and what the store allows.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) mapping: Arc<HostMapping>,
    pub(crate) limits: Limits,
    pub(crate) interrupt: Interrupt,
}

/// A call whose arguments were checked.
#[derive(Debug)]
pub(crate) enum Started<R> {
    /// Done already, or refused.
    Done(Result<R>),
    /// Work is left.
    Steps(Steps<R>),
}

impl<R> Started<R> {
    /// Passes bytes of the plugin to the steps, if any are left.
    pub(crate) fn with_bytes(self, bytes: WasmList<u8>) -> Self {
        match self {
            Self::Done(_) => self,
            Self::Steps(steps) => Self::Steps(steps.with_bytes(bytes)),
        }
    }
}

impl<R> From<Result<Started<R>>> for Started<R> {
    fn from(started: Result<Self>) -> Self {
        started.unwrap_or_else(|error| Self::Done(Err(error)))
    }
}

/// Returns an empty vector with room for `len` bytes.
///
/// # Errors
///
/// [`Error::OutOfMemory`].
fn with_room(len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let len = usize::try_from(len).map_err(|_| Error::OutOfMemory)?;
    bytes.try_reserve_exact(len).map_err(|_| Error::OutOfMemory)?;
    Ok(bytes)
}

/// Returns the chunk of the plugin's bytes that a step works on.
fn chunk_of<'a>(bytes: &'a [u8], chunk: &Range<u64>) -> &'a [u8] {
    let index = |offset: u64| usize::try_from(offset).expect("within the plugin's memory");
    &bytes[index(chunk.start)..index(chunk.end)]
}
