//! Windows: sections and their views, and `VirtualAlloc` for memory without a file.

use std::fs::File;
use std::io::{Error, Result};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::windows::io::{AsRawHandle, BorrowedHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP, FILE_MAP_COPY, FILE_MAP_EXECUTE, FILE_MAP_READ, FILE_MAP_WRITE, FlushViewOfFile,
    MEM_COMMIT, MEM_RELEASE, MEM_RESERVE, MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE, PAGE_EXECUTE_WRITECOPY, PAGE_PROTECTION_FLAGS, PAGE_READONLY, PAGE_READWRITE,
    PAGE_WRITECOPY, UnmapViewOfFile, VirtualAlloc, VirtualFree, VirtualProtect,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};

use crate::request::{Access, AnonymousRequest, FileRequest, check_range};
use crate::{MapIfSafeError, MmapRawDescriptor};

/// A protection of pages, with that of the section and the access of the view that it needs.
#[derive(Clone, Copy)]
struct Rights {
    section: PAGE_PROTECTION_FLAGS,
    view: FILE_MAP,
}

const READ: Rights = Rights { section: PAGE_READONLY, view: FILE_MAP_READ };
const EXECUTE: Rights = Rights { section: PAGE_EXECUTE_READ, view: FILE_MAP_READ | FILE_MAP_EXECUTE };
const WRITE: Rights = Rights { section: PAGE_READWRITE, view: FILE_MAP_READ | FILE_MAP_WRITE };
const WRITE_EXECUTE: Rights =
    Rights { section: PAGE_EXECUTE_READWRITE, view: FILE_MAP_READ | FILE_MAP_WRITE | FILE_MAP_EXECUTE };
const COPY: Rights = Rights { section: PAGE_WRITECOPY, view: FILE_MAP_COPY };
const COPY_EXECUTE: Rights = Rights { section: PAGE_EXECUTE_WRITECOPY, view: FILE_MAP_COPY | FILE_MAP_EXECUTE };

/// Returns the rights to try for an access: the widest first, the required ones last.
fn rights(access: Access, is_exact: bool) -> &'static [Rights] {
    match (access, is_exact) {
        (Access::Read, false) => &[WRITE_EXECUTE, WRITE, EXECUTE, READ],
        (Access::Execute, false) => &[WRITE_EXECUTE, EXECUTE],
        (Access::Write, false) => &[WRITE_EXECUTE, WRITE],
        (Access::Copy | Access::CopyReadOnly, false) => &[COPY_EXECUTE, COPY],
        (Access::Read | Access::CopyReadOnly, true) => &[READ],
        (Access::Execute, true) => &[EXECUTE],
        (Access::Write, true) => &[WRITE],
        (Access::Copy, true) => &[COPY],
    }
}

/// A mapping of the process. Dropping it unmaps it.
pub(crate) struct Mapped {
    kind: Kind,
    /// The first byte that was asked for.
    ptr: *mut u8,
    len: usize,
}

enum Kind {
    /// No bytes, at an address without memory.
    Empty,
    /// Memory of `VirtualAlloc`.
    Anonymous,
    /// A view, which starts at a multiple of the granularity.
    View {
        start: NonNull<u8>,
        is_private: bool,
        /// A handle of our own, which outlives the caller's. `None` only until it is made.
        file: Option<File>,
    },
}

// SAFETY: the memory and the handle belong to the process and not to a thread, and may be used from any thread.
unsafe impl Send for Mapped {}
// SAFETY: as above; `&Mapped` alone reads and writes no bytes.
unsafe impl Sync for Mapped {}

/// The address of empty mappings. It is aligned like any mapping, and has no memory.
const NOWHERE: *mut u8 = ptr::without_provenance_mut(64 << 10);

impl Mapped {
    pub(crate) fn file(file: &MmapRawDescriptor, access: Access, request: &FileRequest) -> Result<Self> {
        let is_private = matches!(access, Access::Copy | Access::CopyReadOnly);
        if request.len == 0 {
            return Ok(Self { kind: Kind::Empty, ptr: NOWHERE, len: 0 });
        }
        let within = request.offset % granularity();
        let first = request.offset - within;
        let within = usize::try_from(within).expect("the granularity fits");
        let whole = within.checked_add(request.len).ok_or(std::io::ErrorKind::OutOfMemory)?;
        let (start, used) = view(file.0, access, request.no_probe_handle, first, whole)?;
        // SAFETY: the view has `whole` bytes.
        let ptr = unsafe { start.as_ptr().add(within) };
        // From here on, the view is unmapped if something fails.
        let mut mapped = Self { kind: Kind::View { start, is_private, file: None }, ptr, len: request.len };
        // SAFETY: the caller has the handle open, since it was just used.
        let borrowed = unsafe { BorrowedHandle::borrow_raw(file.0) };
        mapped.kind = Kind::View { start, is_private, file: Some(borrowed.try_clone_to_owned()?.into()) };
        let protection = match access {
            Access::Read | Access::CopyReadOnly => PAGE_READONLY,
            Access::Execute => PAGE_EXECUTE_READ,
            Access::Write => PAGE_READWRITE,
            Access::Copy => PAGE_WRITECOPY,
        };
        // Also if the rights are the required ones: some versions of Windows give more than was asked for.
        if used.section != protection {
            mapped.protect(protection)?;
        }
        Ok(mapped)
    }

    pub(crate) fn anonymous(request: &AnonymousRequest) -> Result<Self> {
        let len = request.len;
        if len == 0 {
            return Ok(Self { kind: Kind::Empty, ptr: NOWHERE, len });
        }
        // SAFETY: the system chooses the address, so that no memory in use is affected. If the call fails, it has no
        // effect.
        let start = unsafe { VirtualAlloc(ptr::null(), len, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE) };
        if start.is_null() {
            return Err(Error::last_os_error());
        }
        Ok(Self { kind: Kind::Anonymous, ptr: start.cast(), len })
    }

    pub(crate) fn flush(&self, offset: usize, len: usize) -> Result<()> {
        self.flush_async(offset, len)?;
        match &self.kind {
            // The view's pages are in the cache of the file now, which this writes to the device. As in memmap2, that is
            // an error if the file was opened for reading.
            Kind::View { file: Some(file), .. } => file.sync_data(),
            _ => Ok(()),
        }
    }

    pub(crate) fn flush_async(&self, offset: usize, len: usize) -> Result<()> {
        check_range(offset, len, self.len)?;
        if !matches!(self.kind, Kind::View { .. }) || len == 0 {
            return Ok(());
        }
        // SAFETY: the range is within the view, and the call changes no bytes, whether it succeeds or fails.
        check(unsafe { FlushViewOfFile(self.ptr.wrapping_add(offset).cast(), len) })
    }

    pub(crate) fn make_read_only(&mut self) -> Result<()> {
        self.protect(PAGE_READONLY)
    }

    pub(crate) fn make_exec(&mut self) -> Result<()> {
        self.protect(PAGE_EXECUTE_READ)
    }

    pub(crate) fn make_mut(&mut self) -> Result<()> {
        let is_private = matches!(self.kind, Kind::View { is_private: true, .. });
        self.protect(if is_private { PAGE_WRITECOPY } else { PAGE_READWRITE })
    }

    fn protect(&mut self, protection: PAGE_PROTECTION_FLAGS) -> Result<()> {
        if matches!(self.kind, Kind::Empty) {
            return Ok(());
        }
        let mut before = 0;
        // SAFETY: the pages are this mapping's own, which is borrowed mutably, so that there is no reference to its
        // bytes. If the call fails, some pages may have the new protection; the mapping is dropped then.
        check(unsafe { VirtualProtect(self.ptr.cast(), self.len, protection, &mut before) })
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

impl Drop for Mapped {
    fn drop(&mut self) {
        // If a call fails, the memory stays as it is, and is leaked.
        match &self.kind {
            Kind::Empty => {}
            // SAFETY: the memory is this mapping's own, and nobody has a reference to it any more.
            Kind::Anonymous => _ = unsafe { VirtualFree(self.ptr.cast(), 0, MEM_RELEASE) },
            Kind::View { start, .. } => {
                let address = MEMORY_MAPPED_VIEW_ADDRESS { Value: start.as_ptr().cast() };
                // SAFETY: the view is this mapping's own, and nobody has a reference to it any more.
                let _ = unsafe { UnmapViewOfFile(address) };
            }
        }
    }
}

/// Makes a view of a file with the widest rights that its handle allows, and returns its address and the rights.
fn view(file: RawHandle, access: Access, is_exact: bool, offset: u64, len: usize) -> Result<(NonNull<u8>, Rights)> {
    let mut failure = Error::from(std::io::ErrorKind::PermissionDenied);
    for rights in rights(access, is_exact) {
        // The section is as long as the file: a mapping does not make it longer.
        // SAFETY: the handle is the caller's; if it is not that of a file, the call fails without an effect. The other
        // arguments are numbers.
        let section = unsafe { CreateFileMappingW(file, ptr::null(), rights.section, 0, 0, ptr::null()) };
        if section.is_null() {
            failure = Error::last_os_error();
            continue;
        }
        // SAFETY: the handle was just made, and nobody else closes it. The view keeps the section.
        let section = unsafe { OwnedHandle::from_raw_handle(section) };
        #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
        let (high, low) = ((offset >> 32) as u32, offset as u32);
        // SAFETY: the system chooses the address, so that no memory in use is affected. If the call fails, it has no
        // effect.
        let start = unsafe { MapViewOfFile(section.as_raw_handle(), rights.view, high, low, len) };
        match NonNull::new(start.Value.cast::<u8>()) {
            Some(start) => return Ok((start, *rights)),
            None => failure = Error::last_os_error(),
        }
    }
    Err(failure)
}

/// Returns the number of which the offset of a view is a multiple.
fn granularity() -> u64 {
    static GRANULARITY: OnceLock<u64> = OnceLock::new();
    *GRANULARITY.get_or_init(|| {
        let mut info = MaybeUninit::<SYSTEM_INFO>::zeroed();
        // SAFETY: the call fills the structure, and cannot fail.
        unsafe { GetSystemInfo(info.as_mut_ptr()) };
        // SAFETY: it was filled; zeros would be valid as well.
        u64::from(unsafe { info.assume_init() }.dwAllocationGranularity)
    })
}

pub(crate) fn check_immutable(_: &MmapRawDescriptor, _: &FileRequest) -> std::result::Result<(), MapIfSafeError> {
    Err(MapIfSafeError::unsupported())
}

/// Returns the length of a file in bytes.
pub(crate) fn file_len(file: &MmapRawDescriptor) -> Result<u64> {
    // SAFETY: the `File` does not close the handle, and only asks about it. If it is not open, the system says so.
    let file = ManuallyDrop::new(unsafe { File::from_raw_handle(file.0) });
    Ok(file.metadata()?.len())
}

/// Returns the error of a system call that returns 0 on failure.
fn check(outcome: i32) -> Result<()> {
    if outcome != 0 { Ok(()) } else { Err(Error::last_os_error()) }
}
