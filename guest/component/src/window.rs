//! The interface `window`, which is unsupported: a component cannot place a file's pages in a plugin's memory.

use wasi_mmap_core::Error;

use crate::Component;
use crate::bindings::exports::wasi_mmap::mmap::mapping::MappingBorrow;
use crate::bindings::exports::wasi_mmap::mmap::types::{self as wit, WindowMode};
use crate::bindings::exports::wasi_mmap::mmap::window::{Guest, GuestWindow, Window};

type WitResult<T> = Result<T, wit::Error>;

/// A window. There are none.
pub(crate) enum Resource {}

fn unsupported<T>() -> WitResult<T> {
    Err(Error::Unsupported("windows in the fallback".into()).into())
}

impl Guest for Component {
    type Window = Resource;

    fn granularity() -> WitResult<u64> {
        unsupported()
    }

    fn is_live(_: MappingBorrow<'_>) -> WitResult<bool> {
        unsupported()
    }
}

impl GuestWindow for Resource {
    fn attach(_: MappingBorrow<'_>, _: Vec<u8>, _: Vec<u8>, _: u64, _: u64, _: WindowMode) -> WitResult<Window> {
        unsupported()
    }

    fn detach(&self) -> WitResult<()> {
        match *self {}
    }

    fn set_mode(&self, _: WindowMode) -> WitResult<()> {
        match *self {}
    }

    fn flush(&self, _: u64, _: Option<u64>) -> WitResult<()> {
        match *self {}
    }

    fn check(&self) -> WitResult<()> {
        match *self {}
    }
}
