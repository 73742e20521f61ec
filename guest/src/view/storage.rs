//! The choice between a window and a copy, for each storage.

use wasi_mmap_core::{Mapping, Result, Storage};

use super::bytes::{Bytes, BytesMut};
#[cfg(any(not(target_family = "wasm"), imported))]
use super::window::{Window, WindowMut, WindowStorage};
use crate::fallback::{CachedStorage, File};

/// A storage whose bytes can be viewed, in windows or as copies.
pub(super) trait ViewStorage: Storage + Sized {
    /// Views a range that was checked against the mapping.
    ///
    /// # Safety
    ///
    /// See [`Views::view`](super::Views::view).
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<Bytes<'_>>;

    /// Views a range that was checked against the mapping, for writing.
    ///
    /// # Safety
    ///
    /// See [`Views::view_mut`](super::Views::view_mut).
    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<BytesMut<'_>>;
}

/// Copies if the system has no window for the range.
#[cfg(any(not(target_family = "wasm"), imported))]
impl ViewStorage for WindowStorage {
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<Bytes<'_>> {
        // SAFETY: the contract is the caller's.
        match unsafe { Window::open(mapping, offset, length) }? {
            Some(window) => Ok(Bytes::Window(window)),
            None => Bytes::copied(mapping, offset, length),
        }
    }

    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<BytesMut<'_>> {
        // SAFETY: the contract is the caller's.
        match unsafe { WindowMut::open(mapping, offset, length) }? {
            Ok(window) => Ok(BytesMut::Window(window)),
            Err(mapping) => BytesMut::copied(mapping, offset, length),
        }
    }
}

/// The fallback copies.
impl<F: File> ViewStorage for CachedStorage<F> {
    unsafe fn view(mapping: &Mapping<Self>, offset: u64, length: u64) -> Result<Bytes<'_>> {
        Bytes::copied(mapping, offset, length)
    }

    unsafe fn view_mut(mapping: &mut Mapping<Self>, offset: u64, length: u64) -> Result<BytesMut<'_>> {
        BytesMut::copied(mapping, offset, length)
    }
}
