//! Windows of the host, which places the file's pages in the plugin's memory.

use std::marker::PhantomData;
use std::slice;

use wasi_mmap_core::{Error, Internals, Mapping, Result};
use wasi_mmap_sys::bindings::wasi_mmap::mmap::types::WindowMode;
use wasi_mmap_sys::window::{self, Region};

use crate::imported::{HostStorage, PluginKind, PluginStorage, detach_read_windows};

/// The storage whose mappings have these windows.
pub(crate) type WindowStorage = PluginStorage;

/// Returns the host's mapping. A mapping in the plugin has no windows.
fn host_storage(mapping: &Mapping<PluginStorage>) -> Result<Option<&HostStorage>> {
    Ok(match mapping.storage()?.kind() {
        PluginKind::Host(storage) => Some(storage),
        #[cfg(feature = "fallback")]
        PluginKind::Cached(_) => None,
    })
}

/// A range of a mapping in a window of the host, without the borrow of the mapping.
#[derive(Debug)]
struct RawWindow {
    window: window::Window,
    /// The start of the range within the window. A window starts at a page, which the range need not.
    within: usize,
    len: usize,
}

impl RawWindow {
    /// Opens a window for a range. Returns `None` if the range must be copied instead.
    fn open(mapping: &Mapping<PluginStorage>, offset: u64, length: u64, mode: WindowMode) -> Result<Option<Self>> {
        let Some(storage) = host_storage(mapping)? else { return Ok(None) };
        let (Some(page), true) = (window::alignment(), length > 0) else { return Ok(None) };
        let len = mapping.len()?;
        let start = offset - offset % page;
        // Windows have whole pages, except for the mapping's last one.
        let end = (offset + length).checked_next_multiple_of(page).map_or(len, |end| end.min(len));
        let whole = (end - start).checked_next_multiple_of(page).and_then(|whole| usize::try_from(whole).ok());
        let (Some(whole), Ok(page)) = (whole, usize::try_from(page)) else { return Ok(None) };
        let Some(region) = Region::take(whole, page) else { return Err(Error::OutOfMemory) };
        let attach = |region| window::Window::attach(storage.handle(), region, start, end - start, mode);
        let attached = attach(region).or_else(|(region, error)| match error {
            // The windows for small reads may be those that there are too many of.
            Error::LimitExceeded(_) => {
                detach_read_windows();
                attach(region)
            }
            error => Err((region, error)),
        });
        match attached {
            Ok(window) => {
                let index = |at: u64| usize::try_from(at).expect("within the region");
                let (within, len) = (index(offset - start), index(length));
                Ok(Some(Self { window, within, len }))
            }
            Err((region, error)) => {
                region.put_back();
                match error {
                    // The host has no windows, none for this mapping, or no more of them.
                    Error::Unsupported(_) | Error::LimitExceeded(_) | Error::Busy => Ok(None),
                    error => Err(error),
                }
            }
        }
    }

    /// Returns the address of the range.
    fn address(&self) -> *mut u8 {
        assert!(self.within + self.len <= self.window.region().len());
        // SAFETY: the address is within the region, as just checked.
        unsafe { self.window.as_ptr().add(self.within) }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the region has `within + len` bytes, which are the file's until the window is detached. No one else
        // changes them, by the contract of `Views::view`.
        unsafe { slice::from_raw_parts(self.address(), self.len) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`. The window is borrowed mutably, and it alone owns the region.
        unsafe { slice::from_raw_parts_mut(self.address(), self.len) }
    }

    fn check(&self) -> Result<()> {
        self.window.check()
    }

    fn flush(&self) -> Result<()> {
        self.window.flush(0, None)
    }

    fn detach(&mut self) -> Result<()> {
        if let Some(region) = self.window.detach()? {
            region.put_back();
        }
        Ok(())
    }
}

/// A window for reading.
pub(crate) struct Window<'a> {
    raw: RawWindow,
    _mapping: PhantomData<&'a Mapping<PluginStorage>>,
}

impl<'a> Window<'a> {
    /// Opens a window for a range that was checked. Returns `None` if the range must be copied instead.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view`](crate::Views::view).
    pub(crate) unsafe fn open(mapping: &'a Mapping<PluginStorage>, offset: u64, length: u64) -> Result<Option<Self>> {
        let raw = RawWindow::open(mapping, offset, length, WindowMode::Read)?;
        Ok(raw.map(|raw| Self { raw, _mapping: PhantomData }))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.raw.check()
    }
}

/// A window for reading and writing.
pub(crate) struct WindowMut<'a> {
    raw: RawWindow,
    _mapping: PhantomData<&'a mut Mapping<PluginStorage>>,
}

impl<'a> WindowMut<'a> {
    /// Opens a window for a range that was checked. Returns the mapping if the range must be copied instead.
    ///
    /// # Safety
    ///
    /// The contract of [`Views::view_mut`](crate::Views::view_mut).
    pub(crate) unsafe fn open(
        mapping: &'a mut Mapping<PluginStorage>,
        offset: u64,
        length: u64,
    ) -> Result<std::result::Result<Self, &'a mut Mapping<PluginStorage>>> {
        let raw = RawWindow::open(mapping, offset, length, WindowMode::Write)?;
        Ok(raw.map(|raw| Self { raw, _mapping: PhantomData }).ok_or(mapping))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.raw.bytes_mut()
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.raw.check()
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.check()?;
        self.raw.flush()
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.check()?;
        self.raw.detach()
    }
}
