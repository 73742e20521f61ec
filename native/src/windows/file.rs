//! Windows files: opened with the least rights, and described for the rules of `core`.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr;

use wasi_mmap_core::{FileInfo, FileKind, Result, Rights};
use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectBasicInformation};
use windows_sys::Win32::Foundation::RtlNtStatusToDosError;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_READ_DATA, FILE_TYPE_CHAR, FILE_TYPE_DISK, FILE_TYPE_PIPE, FILE_WRITE_DATA, GetFileType,
};
use windows_sys::Win32::System::WindowsProgramming::PUBLIC_OBJECT_BASIC_INFORMATION;

/// Opens a file.
pub(crate) fn open(path: &Path, rights: Rights) -> Result<File> {
    let (read, write) = (rights.contains(Rights::READ), rights.contains(Rights::WRITE));
    OpenOptions::new().read(read).write(write).open(path).or_else(|error| {
        // Other systems open a directory, and mapping it fails. Here opening fails, and must report the same error.
        if path.is_dir() {
            FileKind::Directory.check()?;
        }
        Err(error.into())
    })
}

/// Returns the kind and length of a file and the rights of its handle.
pub(crate) fn describe(file: &File) -> Result<FileInfo> {
    // SAFETY: the handle is open.
    let kind = match unsafe { GetFileType(file.as_raw_handle()) } {
        FILE_TYPE_DISK => None,
        FILE_TYPE_CHAR => Some(FileKind::Device),
        FILE_TYPE_PIPE => Some(FileKind::Pipe),
        _ => Some(FileKind::Other),
    };
    if let Some(kind) = kind {
        return Ok(FileInfo { kind, len: 0, rights: Rights::empty(), grows: false });
    }
    let metadata = file.metadata()?;
    let kind = if metadata.is_dir() { FileKind::Directory } else { FileKind::Regular };
    let granted = granted_access(file)?;
    let mut rights = Rights::empty();
    rights.set(Rights::READ, granted & FILE_READ_DATA != 0);
    rights.set(Rights::WRITE, granted & FILE_WRITE_DATA != 0);
    Ok(FileInfo { kind, len: metadata.len(), rights, grows: true })
}

/// Returns the access rights of a handle: bits such as `FILE_READ_DATA`. `NtQueryObject`.
fn granted_access(file: &File) -> io::Result<u32> {
    let mut basic = PUBLIC_OBJECT_BASIC_INFORMATION::default();
    let size = u32::try_from(mem::size_of_val(&basic)).expect("a small structure");
    // SAFETY: the handle is open. The call writes to `basic`, whose size it is given, and returns no length, since that
    // pointer is null. On failure `basic` is not used.
    let status = unsafe {
        NtQueryObject(file.as_raw_handle(), ObjectBasicInformation, (&raw mut basic).cast(), size, ptr::null_mut())
    };
    if status < 0 {
        // SAFETY: the function has no precondition.
        let code = unsafe { RtlNtStatusToDosError(status) };
        return Err(io::Error::from_raw_os_error(code.cast_signed()));
    }
    Ok(basic.GrantedAccess)
}

/// Sets the length of a file to `len` bytes.
pub(crate) fn set_len(file: &File, len: u64) -> Result<()> {
    Ok(file.set_len(len)?)
}
