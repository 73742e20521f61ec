//! Lending a mapping's pages to the engine, which copies them into the plugin's memory after the host function has
//! returned.

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

/// The length, in bytes, from which lending the pages is cheaper than copying them into a buffer first.
const LENT_FROM: u64 = 16 * 1024;

/// The result of a function that reads, in the interface's types.
type Plain = std::result::Result<Bytes, wit::Error>;

/// The result of a function that reads: bytes, the pages that hold them, or an error.
pub(crate) struct ReadResult {
    plain: Plain,
    /// The pages, if they are lent.
    lent: Option<SharedPages>,
    /// The mapping and the old position of its cursor, which is restored if bytes are lost.
    restore: Option<(Arc<HostMapping>, u64)>,
}

impl ReadResult {
    /// Returns the bytes of a range, to be copied once more: the pages themselves if that is cheaper.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`]; [`Error::NoSpace`]; [`Error::OutOfMemory`].
    pub(crate) fn lend(storage: &OsStorage, range: Range<u64>) -> Result<Self> {
        if range.end - range.start < LENT_FROM {
            return Ok(storage.read_vec(range)?.into());
        }
        // SAFETY: the engine copies the bytes into the plugin's memory as soon as the host function has returned,
        // before the plugin can call anything, and drops them. The mapping stays mapped meanwhile, because the bytes
        // own a share of it. `share` also asks that no other process writes to the file, which a host cannot promise:
        // the copy is one `memcpy`, which takes any byte for a value, so that the plugin sees other bytes and nothing
        // else happens.
        let lent = match unsafe { storage.share(range.clone()) } {
            // Some of the pages are in a window, so that they are not in one piece.
            Err(Error::Busy) => return Ok(storage.read_vec(range)?.into()),
            lent => lent?,
        };
        // Bytes that are lost already need not be copied.
        lent.check()?;
        Ok(Self { plain: Ok(Bytes::from_owner(lent.clone())), lent: Some(lent), restore: None })
    }

    /// Restores the mapping's cursor to `position` if bytes are lost before they are copied.
    pub(crate) fn or_restore_cursor(mut self, mapping: &Arc<HostMapping>, position: u64) -> Self {
        self.restore = self.lent.is_some().then(|| (Arc::clone(mapping), position));
        self
    }

    /// Returns the number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.plain.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }

    /// Converts a result to that of the interface.
    #[expect(clippy::unnecessary_wraps, reason = "the linker takes functions that may trap")]
    pub(crate) fn to_wit(result: Result<Self>) -> wasmtime::Result<(Self,)> {
        Ok((result.unwrap_or_else(Self::from),))
    }

    /// Returns the result to write over the bytes after they were copied: an error, if some of them were lost.
    fn correction(&self) -> Option<Plain> {
        let error = self.lent.as_ref()?.check().err()?;
        if let Some((mapping, position)) = &self.restore {
            // The cursor was there before, so that this cannot fail, unless the mapping was closed and has no cursor.
            let _ = mapping.lock().seek(SeekFrom::Start(*position));
        }
        Some(Err(error.into()))
    }
}

impl From<Vec<u8>> for ReadResult {
    fn from(bytes: Vec<u8>) -> Self {
        Self { plain: Ok(bytes.into()), lent: None, restore: None }
    }
}

impl From<Error> for ReadResult {
    fn from(error: Error) -> Self {
        Self { plain: Err(error.into()), lent: None, restore: None }
    }
}

// SAFETY: everything about the type is that of `Plain`, as which it is lowered.
unsafe impl ComponentType for ReadResult {
    type Lower = <Plain as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Plain as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = <Plain as ComponentType>::MAY_REQUIRE_REALLOC;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        <Plain as ComponentType>::typecheck(ty, types)
    }
}

// The file may become shorter while the engine copies. The fault handler then puts zeros there, and the plugin must not
// take them for the file's. So the bytes are copied first, and if some were lost, the error is written over the result.
// The memory that the plugin allocated for the bytes is not freed in this case.
//
// SAFETY: lowering initializes what lowering a `Plain` does, because it lowers one, once or twice.
unsafe impl Lower for ReadResult {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> wasmtime::Result<()> {
        self.plain.linear_lower_to_flat(cx, ty, dst)?;
        self.correction().map_or(Ok(()), |plain| plain.linear_lower_to_flat(cx, ty, dst))
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        self.plain.linear_lower_to_memory(cx, ty, offset)?;
        self.correction().map_or(Ok(()), |plain| plain.linear_lower_to_memory(cx, ty, offset))
    }
}
