//! WASI: windows of the host, or copies.

#[cfg_attr(not(target_env = "p1"), path = "window.rs")]
#[cfg_attr(target_env = "p1", path = "no_window.rs")]
mod window;

use std::io::{Error, ErrorKind, Result};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;

use wasi_mmap_core::Rights;
use wasi_mmap_sys::copies::{self, HeldSource, Memory, PAGE, Private, Shared, plugin_copies};

use crate::request::{Access, AnonymousRequest, FileRequest, advised_len, check_range};
use crate::{MapIfSafeError, MmapRawDescriptor, UncheckedAdvice};
use window::Window;

/// A mapping of the plugin. Dropping it ends it; changes of a file's bytes reach the file then at the latest.
pub(crate) struct Mapped {
    kind: Kind,
    /// The first byte that was asked for.
    ptr: *mut u8,
    len: usize,
    /// Whether the mapping may be made writable.
    may_write: bool,
}

enum Kind {
    /// No bytes, at an address without memory.
    Empty,
    /// Memory without a file.
    Anonymous(Memory),
    /// The file's own pages.
    Window(Window),
    /// A copy whose changes reach the file.
    Shared(Shared<HeldSource>),
    /// A copy whose changes stay in memory.
    Private(Private<HeldSource>),
}

// SAFETY: the pointer is to memory that belongs to the mapping, and to no thread.
unsafe impl Send for Mapped {}
// SAFETY: as above; `&Mapped` alone reads the bytes only to write them to the file.
unsafe impl Sync for Mapped {}

const _: () = {
    const fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    check::<Mapped>();
};

/// The address of empty mappings. It is aligned like any mapping, and has no memory.
const NOWHERE: *mut u8 = ptr::without_provenance_mut(PAGE);

impl Mapped {
    pub(crate) fn file(file: &MmapRawDescriptor<'_>, access: Access, request: &FileRequest) -> Result<Self> {
        let held = HeldSource::new(file.0)?;
        let rights = held.rights()?;
        let needed = if access == Access::Write { Rights::all() } else { Rights::READ };
        if !rights.contains(needed) {
            return Err(Error::from_raw_os_error(libc::EACCES));
        }
        let is_private = matches!(access, Access::Copy | Access::CopyReadOnly);
        let may_write = is_private || rights.contains(Rights::WRITE);
        if request.offset.checked_add(request.len as u64).is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(Error::from_raw_os_error(libc::EOVERFLOW));
        }
        if request.len == 0 {
            return Ok(Self { kind: Kind::Empty, ptr: NOWHERE, len: 0, may_write });
        }
        let held = match Window::open(held, access, request)? {
            Ok(window) => {
                let ptr = window.ptr();
                return Ok(Self { kind: Kind::Window(window), ptr, len: request.len, may_write });
            }
            Err(held) => held,
        };
        let (kind, ptr) = if is_private {
            let private = Private::new(plugin_copies(), held, request.offset, request.len)?;
            let ptr = private.ptr();
            (Kind::Private(private), ptr)
        } else {
            shared(held, request.offset, request.len, access == Access::Write)?
        };
        Ok(Self { kind, ptr, len: request.len, may_write })
    }

    pub(crate) fn anonymous(request: &AnonymousRequest) -> Result<Self> {
        let len = request.len;
        if len == 0 {
            return Ok(Self { kind: Kind::Empty, ptr: NOWHERE, len, may_write: true });
        }
        let memory = Memory::new(len)?;
        let ptr = memory.ptr();
        Ok(Self { kind: Kind::Anonymous(memory), ptr, len, may_write: true })
    }

    pub(crate) fn flush(&self, offset: usize, len: usize) -> Result<()> {
        self.write_back(offset, len, true)
    }

    pub(crate) fn flush_async(&self, offset: usize, len: usize) -> Result<()> {
        self.write_back(offset, len, false)
    }

    fn write_back(&self, offset: usize, len: usize, wait: bool) -> Result<()> {
        check_range(offset, len, self.len)?;
        match &self.kind {
            Kind::Window(window) => window.flush(offset, len, wait),
            Kind::Shared(shared) => shared.flush(offset, len, wait),
            Kind::Empty | Kind::Anonymous(_) | Kind::Private(_) => Ok(()),
        }
    }

    /// Does nothing: the types see to it that nobody writes.
    pub(crate) fn make_read_only(&mut self) -> Result<()> {
        Ok(())
    }

    /// Does nothing: a plugin's code is not in its memory, so that no mapping can be executed.
    pub(crate) fn make_exec(&mut self) -> Result<()> {
        Ok(())
    }

    pub(crate) fn make_mut(&mut self) -> Result<()> {
        if !self.may_write {
            return Err(Error::from_raw_os_error(libc::EACCES));
        }
        match &mut self.kind {
            Kind::Shared(shared) => shared.make_mut(),
            Kind::Window(window) => {
                let Some((held, offset)) = window.make_mut()? else { return Ok(()) };
                // The window is detached when its place is taken, and has no changes.
                (self.kind, self.ptr) = shared(held, offset, self.len, true)?;
                Ok(())
            }
            Kind::Empty | Kind::Anonymous(_) | Kind::Private(_) => Ok(()),
        }
    }

    /// Gives advice, by its number, for the pages of a range.
    ///
    /// # Safety
    ///
    /// There is no reference to bytes that the advice may change.
    pub(crate) unsafe fn advise(&self, advice: i32, offset: usize, len: usize) -> Result<()> {
        let len = advised_len(offset, len, self.len)?;
        if len == 0 {
            return Ok(());
        }
        let is_reset = advice == UncheckedAdvice::DontNeed as i32;
        match &self.kind {
            Kind::Window(window) => window.advise(advice, offset, len),
            Kind::Private(private) if is_reset => private.reset(offset, len),
            Kind::Shared(shared) if is_reset => shared.refresh(offset, len),
            Kind::Anonymous(memory) if is_reset => {
                memory.clear(offset / PAGE * PAGE, (offset + len).next_multiple_of(PAGE));
                Ok(())
            }
            // Other advice is a hint, and memory needs none.
            _ => Ok(()),
        }
    }

    pub(crate) fn lock(&self) -> Result<()> {
        Err(cannot_lock())
    }

    pub(crate) fn unlock(&self) -> Result<()> {
        Err(cannot_lock())
    }

    #[inline]
    pub(crate) fn ptr(&self) -> *mut u8 {
        self.ptr
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

fn cannot_lock() -> Error {
    Error::new(ErrorKind::Unsupported, "a WebAssembly plugin cannot lock memory")
}

/// Makes a copy whose changes reach the file.
fn shared(held: HeldSource, offset: u64, len: usize, can_write: bool) -> Result<(Kind, *mut u8)> {
    held.watch();
    let shared = Shared::new(plugin_copies(), held, offset, len, can_write)?;
    let ptr = shared.ptr();
    Ok((Kind::Shared(shared), ptr))
}

/// Returns the length of a file in bytes.
pub(crate) fn file_len(file: &MmapRawDescriptor<'_>) -> Result<u64> {
    copies::file_len(file.0)
}

pub(crate) fn check_immutable(_: &MmapRawDescriptor<'_>, _: &FileRequest) -> std::result::Result<(), MapIfSafeError> {
    Err(MapIfSafeError::unsupported())
}

/// Adds the way out to the error for a file that is larger than memory.
pub(crate) fn explain_too_large(error: Error) -> Error {
    Error::new(error.kind(), format!("{error}: a plugin has 2 GiB at most; views of wasi_mmap map a part at a time"))
}
