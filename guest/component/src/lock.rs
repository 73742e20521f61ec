//! The interface `lock`, which is unsupported: WASI has no locks, and pretended ones would destroy what they protect.

use wasi_mmap_core::Error;
use wasi_mmap_sys::bindings::wasi::filesystem::types::Descriptor;

use crate::Component;
use crate::bindings::exports::wasi_mmap::mmap::lock::{FileLock, Guest, GuestFileLock};
use crate::bindings::exports::wasi_mmap::mmap::types::{self as wit, HeldLock, LockKind};

type WitResult<T> = Result<T, wit::Error>;

/// An owner of locks. There is none.
pub(crate) enum Resource {}

impl Guest for Component {
    type FileLock = Resource;
}

impl GuestFileLock for Resource {
    fn from_borrowed(_: &Descriptor) -> WitResult<FileLock> {
        Err(Error::Unsupported("locks in the fallback".into()).into())
    }

    fn lock(&self, _: u64, _: u64, _: LockKind) -> WitResult<()> {
        match *self {}
    }

    fn try_lock(&self, _: u64, _: u64, _: LockKind) -> WitResult<bool> {
        match *self {}
    }

    fn unlock(&self, _: u64, _: u64) -> WitResult<()> {
        match *self {}
    }

    fn test(&self, _: u64, _: u64, _: LockKind) -> WitResult<Option<HeldLock>> {
        match *self {}
    }

    fn lock_file(&self, _: LockKind) -> WitResult<()> {
        match *self {}
    }

    fn try_lock_file(&self, _: LockKind) -> WitResult<bool> {
        match *self {}
    }

    fn unlock_file(&self) -> WitResult<()> {
        match *self {}
    }
}
