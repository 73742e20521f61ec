//! Files of a component: handles of `wasi:filesystem`.

mod calls;
mod identity;
mod synced;

use std::cell::Cell;
use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use wasi_mmap_core::{FileInfo, FileKind, Result, Rights};

use crate::bindings::wasi::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode};
use crate::error_code::wasi_error;
use crate::held::{self, Hold, Number};
use crate::observer;

#[link(wasm_import_module = "wasi:filesystem/types@0.2.12")]
unsafe extern "C" {
    #[link_name = "[method]descriptor.stat"]
    fn import_stat(handle: i32, result: *mut u8);
    #[link_name = "[resource-drop]descriptor"]
    fn import_drop(handle: i32);
}

thread_local! {
    /// The handle that `fstat(2)` asked about last.
    static ASKED: Cell<Option<Number>> = const { Cell::new(None) };
}

/// The C library's call of `descriptor.stat`.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_stat(handle: i32, result: *mut u8) {
    ASKED.set(Some(handle));
    // SAFETY: the C library's own call, passed on.
    unsafe { import_stat(handle, result) }
}

/// The C library's last call for a descriptor. If the file is held, it is made later, by [`close`].
#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_descriptor_drop(handle: i32) {
    observer::tell_before_close(|| calls::lent(handle));
    if !held::stays_open(handle) {
        close(handle);
    }
}

/// Closes a file that the program has closed, and that nobody holds.
pub(crate) fn close(handle: Number) {
    identity::forget(handle);
    synced::forget(handle);
    // SAFETY: the C library gave the handle up, and there is no holder.
    unsafe { import_drop(handle) }
}

/// Returns the handle behind a descriptor.
///
/// # Errors
///
/// [`Unsupported`](io::ErrorKind::Unsupported), if there is no handle of `wasi:filesystem` behind it, as for standard
/// input; any error of `fstat(2)`.
pub(crate) fn number_of(fd: RawFd) -> io::Result<Number> {
    let mut stat = MaybeUninit::<libc::stat>::uninit();
    ASKED.set(None);
    // SAFETY: the memory has the size of a `stat`, which is not read.
    let code = unsafe { libc::fstat(fd, stat.as_mut_ptr()) };
    let asked = ASKED.take();
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    let reason = "no file of wasi:filesystem is behind this descriptor";
    asked.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, reason))
}

/// An open file of the plugin, which stays open as long as this exists, even if the program closes it.
#[derive(Debug)]
pub struct HeldFile(Kind);

#[derive(Debug)]
enum Kind {
    /// A file that the C library has opened.
    Shared(ManuallyDrop<Descriptor>, #[expect(dead_code, reason = "dropped to close the file")] Hold),
    /// A file of the C library, for the time of a call.
    Lent(ManuallyDrop<Descriptor>),
    /// A file that nobody else has.
    Owned(Descriptor),
}

impl HeldFile {
    /// Holds the file behind a descriptor of the C library, as `dup(2)` would.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported), if there is no file behind it, or if the C library is not one that
    /// this crate knows; any error of `fstat(2)`.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let hold = Hold::new(number_of(fd.as_raw_fd())?)?;
        // SAFETY: the C library has this handle, and does not drop it as long as `hold` exists. `ManuallyDrop` keeps
        // it from being dropped here.
        let descriptor = unsafe { Descriptor::from_handle(hold.number().cast_unsigned()) };
        Ok(Self(Kind::Shared(ManuallyDrop::new(descriptor), hold)))
    }

    /// Returns the descriptor of `wasi:filesystem`.
    #[must_use]
    pub fn descriptor(&self) -> &Descriptor {
        match &self.0 {
            Kind::Shared(descriptor, _) | Kind::Lent(descriptor) => descriptor,
            Kind::Owned(descriptor) => descriptor,
        }
    }

    /// Returns the descriptor as the caller's own.
    ///
    /// # Errors
    ///
    /// The file itself, if it is the C library's.
    pub fn into_descriptor(self) -> std::result::Result<Descriptor, Self> {
        match self.0 {
            Kind::Owned(descriptor) => Ok(descriptor),
            other @ (Kind::Shared(..) | Kind::Lent(_)) => Err(Self(other)),
        }
    }

    /// Returns the kind and the length of the file, and the rights of the descriptor.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.stat` and `descriptor.get-flags`.
    pub fn info(&self) -> Result<FileInfo> {
        let stat = self.descriptor().stat().map_err(error)?;
        let flags = self.descriptor().get_flags().map_err(error)?;
        let kind = match stat.type_ {
            DescriptorType::RegularFile => FileKind::Regular,
            DescriptorType::Directory => FileKind::Directory,
            DescriptorType::Fifo => FileKind::Pipe,
            DescriptorType::Socket => FileKind::Socket,
            DescriptorType::BlockDevice | DescriptorType::CharacterDevice => FileKind::Device,
            DescriptorType::Unknown | DescriptorType::SymbolicLink => FileKind::Other,
        };
        let mut rights = Rights::empty();
        rights.set(Rights::READ, flags.contains(DescriptorFlags::READ));
        rights.set(Rights::WRITE, flags.contains(DescriptorFlags::WRITE));
        Ok(FileInfo { kind, len: stat.size, rights, grows: false })
    }

    /// Returns a number that all descriptors of the file have in common at all times; other files may have it, too.
    /// `None` if the system has no such number. See [`is_same`](Self::is_same).
    #[must_use]
    pub fn key(&self) -> Option<(u64, u64)> {
        match &self.0 {
            Kind::Shared(descriptor, _) | Kind::Lent(descriptor) => identity::recorded_key(descriptor),
            // The handle may be dropped without a word.
            Kind::Owned(descriptor) => identity::key(descriptor),
        }
    }

    /// Returns whether this is the same file as another one. False if the system does not tell.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        identity::is_same(self.descriptor(), other.descriptor())
    }

    /// Returns the length of the file in bytes.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.stat`.
    #[expect(clippy::len_without_is_empty, reason = "it is the length of the file, which a call asks for")]
    pub fn len(&self) -> Result<u64> {
        Ok(self.descriptor().stat().map_err(error)?.size)
    }

    /// Reads some bytes at an offset of the file, and returns their number: 0 at its end.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.read`.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let (bytes, _) = self.descriptor().read((buffer.len() as u64).min(MAX_READ), offset).map_err(error)?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    /// Writes some bytes at an offset of the file, and returns their number.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.write`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        let count = self.descriptor().write(bytes, offset).map_err(error)?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len()))
    }

    /// Extends the file with zeros, or truncates it.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.set-size`.
    pub fn set_len(&self, len: u64) -> Result<()> {
        self.descriptor().set_size(len).map_err(error)
    }

    /// Returns when all written bytes are on the storage device.
    ///
    /// # Errors
    ///
    /// Any error of `descriptor.sync-data`.
    pub fn sync(&self) -> Result<()> {
        self.descriptor().sync_data().map_err(error)
    }
}

impl From<Descriptor> for HeldFile {
    fn from(descriptor: Descriptor) -> Self {
        Self(Kind::Owned(descriptor))
    }
}

/// The most bytes that one call of WASI reads.
const MAX_READ: u64 = 64 * 1024;

fn error(code: ErrorCode) -> wasi_mmap_core::Error {
    wasi_error(code.name())
}
