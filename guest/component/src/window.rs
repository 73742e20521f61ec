//! The interface `window`: there are none where the file's pages are not the host's to give.

use wasi_mmap_core::Error;

use crate::Component;
use crate::bindings::exports::wasi_mmap::mmap::mapping::MappingBorrow;
use crate::bindings::exports::wasi_mmap::mmap::types::{self as wit, WindowMode};
use crate::bindings::exports::wasi_mmap::mmap::window::{Guest, GuestWindow, Window};

type Answer<T> = Result<T, wit::Error>;

/// A window, of which there is none.
pub(crate) enum Resource {}

fn unsupported<T>() -> Answer<T> {
    Err(Error::Unsupported("windows in the fallback".into()).into())
}

impl Guest for Component {
    type Window = Resource;

    fn granularity() -> Answer<u64> {
        unsupported()
    }
}

impl GuestWindow for Resource {
    fn attach(_: MappingBorrow<'_>, _: Vec<u8>, _: u64, _: u64, _: WindowMode) -> Answer<Window> {
        unsupported()
    }

    fn detach(&self) -> Answer<()> {
        match *self {}
    }

    fn flush(&self, _: u64, _: Option<u64>) -> Answer<()> {
        match *self {}
    }

    fn check(&self) -> Answer<()> {
        match *self {}
    }
}
