//! Sections and views of them, as `CreateFileMappingW` and `MapViewOfFile` make them. All system calls on memory are
//! here, and with them all unsafe code of this directory but that of [`file`](super::file).

use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::OnceLock;

use wasi_mmap_core::Error;
use windows_sys::Win32::Foundation::{
    ERROR_ALREADY_EXISTS, ERROR_COMMITMENT_LIMIT, ERROR_FILE_NOT_FOUND, ERROR_NOT_ENOUGH_MEMORY, HANDLE,
    INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Memory::{
    CreateFileMappingW, FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, FlushViewOfFile, MEMORY_BASIC_INFORMATION,
    MEMORY_MAPPED_VIEW_ADDRESS, MapViewOfFile, OpenFileMappingW, PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY,
    UnmapViewOfFile, VirtualQuery,
};
use windows_sys::Win32::System::SystemInformation::{GetSystemInfo, SYSTEM_INFO};

/// The access that a view allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protection {
    /// Only reads.
    Read,
    /// Reads and writes.
    Write,
    /// Reads and writes. Writes stay in the view.
    Copy,
}

/// A file or memory, of which views can be mapped. Its name, if it has one, exists as long as a handle to it is open.
#[derive(Debug)]
pub(super) struct Section(OwnedHandle);

impl Section {
    /// Makes a section of a whole file.
    pub(super) fn of_file(file: &File, protection: Protection) -> io::Result<Self> {
        let protection = match protection {
            Protection::Read => PAGE_READONLY,
            Protection::Write => PAGE_READWRITE,
            Protection::Copy => PAGE_WRITECOPY,
        };
        // SAFETY: the handle is open during the call; there are no attributes and no name.
        owned(unsafe { CreateFileMappingW(file.as_raw_handle(), ptr::null(), protection, 0, 0, ptr::null()) })
    }

    /// Makes a section of `len` zeros and returns it and false; if the name exists, returns its section and true.
    pub(super) fn of_memory(len: u64, name: Option<&[u16]>) -> io::Result<(Self, bool)> {
        let (high, low) = halves(len);
        let name = name.map_or(ptr::null(), terminated);
        // SAFETY: the invalid handle means the system's paging file; `name` is null, or ends with a zero and outlives
        // the call.
        let handle = unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, ptr::null(), PAGE_READWRITE, high, low, name) };
        let section = owned(handle)?;
        let error = io::Error::last_os_error();
        Ok((section, is_error(&error, ERROR_ALREADY_EXISTS)))
    }

    /// Opens the section of a name, if it exists.
    pub(super) fn open(name: &[u16]) -> io::Result<Option<Self>> {
        // SAFETY: the name ends with a zero and outlives the call.
        let handle = unsafe { OpenFileMappingW(FILE_MAP_READ | FILE_MAP_WRITE, 0, terminated(name)) };
        match owned(handle) {
            Ok(section) => Ok(Some(section)),
            Err(error) if is_error(&error, ERROR_FILE_NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the length in bytes, rounded up to whole pages: the system keeps no more.
    pub(super) fn len(&self) -> io::Result<u64> {
        // A length of 0 means the whole section.
        let view = View::new(self, 0, 0, Protection::Read)?;
        // SAFETY: zero is valid for each field.
        let mut region: MEMORY_BASIC_INFORMATION = unsafe { mem::zeroed() };
        // SAFETY: the call writes to `region`, whose size it is given, and only looks the address up. On failure it
        // writes nothing.
        let written = unsafe { VirtualQuery(view.start.cast(), &raw mut region, mem::size_of_val(&region)) };
        if written == 0 { Err(io::Error::last_os_error()) } else { Ok(region.RegionSize as u64) }
    }

    /// Returns another handle to the same section.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }
}

/// Returns a pointer to a name, as the system takes it.
fn terminated(name: &[u16]) -> *const u16 {
    assert_eq!(name.last(), Some(&0), "a name ends with a zero");
    name.as_ptr()
}

fn owned(handle: HANDLE) -> io::Result<Section> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call that returned the handle succeeded, and nobody else has it.
    Ok(Section(unsafe { OwnedHandle::from_raw_handle(handle) }))
}

fn is_error(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Converts an error of making a section or a view: lack of memory has a case of its own.
pub(super) fn to_error(error: io::Error) -> Error {
    if is_error(&error, ERROR_COMMITMENT_LIMIT) || is_error(&error, ERROR_NOT_ENOUGH_MEMORY) {
        Error::OutOfMemory
    } else {
        error.into()
    }
}

/// Returns the upper and the lower 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "that is the purpose")]
fn halves(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}

/// A part of a section, mapped into memory. It outlives the section's handle.
#[derive(Debug)]
pub(super) struct View {
    start: *mut u8,
    len: usize,
}

// SAFETY: a view is an address and a length; its memory belongs to the process, not to a thread.
unsafe impl Send for View {}
// SAFETY: as above; the only operation that changes anything through a shared reference is `flush`, which the system
// synchronizes.
unsafe impl Sync for View {}

impl View {
    /// Maps `len` bytes of a section from `file_offset`, a multiple of the granularity, or, for a `len` of 0, all of
    /// it.
    pub(super) fn new(section: &Section, file_offset: u64, len: usize, protection: Protection) -> io::Result<Self> {
        let access = match protection {
            Protection::Read => FILE_MAP_READ,
            Protection::Write => FILE_MAP_READ | FILE_MAP_WRITE,
            Protection::Copy => FILE_MAP_COPY,
        };
        let (high, low) = halves(file_offset);
        // SAFETY: the handle is open; the system chooses an address where nothing is mapped. On failure it has mapped
        // nothing.
        let view = unsafe { MapViewOfFile(section.0.as_raw_handle(), access, high, low, len) };
        if view.Value.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: view.Value.cast(), len })
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns a pointer to the start of `range`.
    ///
    /// # Panics
    ///
    /// If the range is not within the view.
    #[inline]
    pub(super) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} bytes", self.len);
        // SAFETY: `range.start` is at most the view's length, as just checked.
        unsafe { self.start.add(range.start) }
    }

    /// Copies the first `len` bytes of another view to the start of this one, which must be writable.
    pub(super) fn copy_from(&mut self, other: &Self, len: usize) {
        let (target, source) = (self.pointer(&(0..len)), other.pointer(&(0..len)));
        // SAFETY: `pointer` has checked that both views have so many bytes. They may overlap.
        unsafe { target.copy_from(source, len) };
    }

    /// Writes changes in `range` to the file, but not yet to the device.
    pub(super) fn flush(&self, range: &Range<usize>) -> io::Result<()> {
        // SAFETY: the range lies in the view, as `pointer` checks. The call changes no byte, whether it succeeds or
        // fails.
        succeeded(unsafe { FlushViewOfFile(self.pointer(range).cast(), range.len()) })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let address = MEMORY_MAPPED_VIEW_ADDRESS { Value: self.start.cast() };
        // SAFETY: the view was mapped at this address and is unmapped once; no pointer into it outlives it.
        let unmapped = succeeded(unsafe { UnmapViewOfFile(address) });
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

fn succeeded(status: i32) -> io::Result<()> {
    if status == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the size of a page of memory, in bytes.
pub(crate) fn page_size() -> u64 {
    sizes().0.into()
}

/// Returns the number that the offset of a mapping must be a multiple of, in bytes: 65,536.
pub(crate) fn granularity() -> u64 {
    sizes().1.into()
}

/// Returns the page size and the granularity, which are constant while the system runs. `GetSystemInfo`.
fn sizes() -> (u32, u32) {
    static SIZES: OnceLock<(u32, u32)> = OnceLock::new();
    *SIZES.get_or_init(|| {
        // SAFETY: zero is valid for each field.
        let mut info: SYSTEM_INFO = unsafe { mem::zeroed() };
        // SAFETY: the call only writes to `info`.
        unsafe { GetSystemInfo(&raw mut info) };
        (info.dwPageSize, info.dwAllocationGranularity)
    })
}
