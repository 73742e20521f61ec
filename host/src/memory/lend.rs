//! Lending a mapping's pages to the engine, which copies them into the plugin's memory after the host function has returned.

use std::io::SeekFrom;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use wasi_mmap_core::{Error, Result, Storage};
use wasi_mmap_native::{OsStorage, SharedPages};
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

use crate::bindings::types as wit;
use crate::mapping::HostMapping;

/// From this length on, lending the pages is cheaper than copying them into a buffer first.
const LENT_FROM: u64 = 16 * 1024;

/// The answer of a function that reads, as the interface has it.
type Plain = std::result::Result<Bytes, wit::Error>;

/// What a read answers: bytes, or the pages that they are in.
pub(crate) struct Reading {
    answer: Plain,
    /// The pages, if they are lent.
    lent: Option<SharedPages>,
    /// The mapping, and where its cursor was: it goes back there if bytes were lost.
    moved: Option<(Arc<HostMapping>, u64)>,
}

impl Reading {
    /// The bytes of a range, to be copied once more: the pages themselves where that pays.
    ///
    /// # Errors
    ///
    /// `truncated`, `no-space`, `out-of-memory`.
    pub(crate) fn new(storage: &OsStorage, range: Range<u64>) -> Result<Self> {
        if range.end - range.start < LENT_FROM {
            return Ok(storage.read_vec(range)?.into());
        }
        // SAFETY: the engine copies the bytes into the plugin's memory as soon as the host function has returned, before the
        // plugin can call anything, and drops them. The mapping stays mapped meanwhile, for the bytes own a share of it. What
        // `Lend` asks for beyond that, that no other process writes to the file, a host cannot promise: the copy is one
        // `memcpy`, which takes any byte for a value, so that the plugin sees other bytes and nothing else happens.
        let lent = match unsafe { storage.share(range.clone()) } {
            // A part of the pages lies in a window, and they are not in one piece.
            Err(Error::Busy) => return Ok(storage.read_vec(range)?.into()),
            lent => lent?,
        };
        // What is lost already need not be copied.
        lent.check()?;
        Ok(Self { answer: Ok(Bytes::from_owner(lent.clone())), lent: Some(lent), moved: None })
    }

    /// Says that the mapping's cursor was moved for these bytes, and where it was.
    pub(crate) fn moved_from(mut self, mapping: &Arc<HostMapping>, cursor: u64) -> Self {
        self.moved = self.lent.is_some().then(|| (Arc::clone(mapping), cursor));
        self
    }

    /// What is to be answered in place of the bytes, after they were copied: an error, if some of them were lost.
    fn correction(&self) -> Option<Plain> {
        let error = self.lent.as_ref()?.check().err()?;
        if let Some((mapping, cursor)) = &self.moved {
            // It was there before, so that it can be there.
            let _ = mapping.lock().seek(SeekFrom::Start(*cursor));
        }
        Some(Err(error.into()))
    }
}

impl From<Vec<u8>> for Reading {
    fn from(bytes: Vec<u8>) -> Self {
        Self { answer: Ok(bytes.into()), lent: None, moved: None }
    }
}

impl From<Error> for Reading {
    fn from(error: Error) -> Self {
        Self { answer: Err(error.into()), lent: None, moved: None }
    }
}

// SAFETY: all that is said of the type is said of `Plain`, which it is lowered as.
unsafe impl ComponentType for Reading {
    type Lower = <Plain as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Plain as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = <Plain as ComponentType>::MAY_REQUIRE_REALLOC;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <Plain as ComponentType>::typecheck(ty, types)
    }
}

// The file may become shorter while the engine copies: the fault handler puts zeros there, and the answer must not be that the
// file had them. So the bytes are copied first, and where some were lost, the error is written over the answer. The memory that
// the plugin has allocated for the bytes is not freed then.
//
// SAFETY: lowering initializes what lowering a `Plain` does: it is done by it, once or twice.
unsafe impl Lower for Reading {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        self.answer.linear_lower_to_flat(cx, ty, dst)?;
        self.correction().map_or(Ok(()), |answer| answer.linear_lower_to_flat(cx, ty, dst))
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        self.answer.linear_lower_to_memory(cx, ty, offset)?;
        self.correction().map_or(Ok(()), |answer| answer.linear_lower_to_memory(cx, ty, offset))
    }
}
