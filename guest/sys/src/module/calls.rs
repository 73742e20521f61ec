//! The calls by which wasi-libc reads and writes files. Each is passed on to WASI, and observers are told of it.
//!
//! A descriptor's position is not known here, so that a read or a write without an offset may touch the whole file.

use std::ops::Range;

use super::{HeldFile, Kind};
use crate::observer::{self, EVERYTHING, range};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    #[link_name = "path_open"]
    fn import_open(
        directory: i32,
        lookup: i32,
        path: i32,
        path_len: i32,
        open_flags: i32,
        rights: i64,
        inheriting: i64,
        flags: i32,
        result: *mut i32,
    ) -> i32;
    #[link_name = "fd_allocate"]
    fn import_allocate(fd: i32, offset: i64, length: i64) -> i32;
    #[link_name = "fd_read"]
    fn import_read(fd: i32, buffers: i32, count: i32, result: i32) -> i32;
    #[link_name = "fd_write"]
    fn import_write(fd: i32, buffers: i32, count: i32, result: i32) -> i32;
    #[link_name = "fd_pread"]
    fn import_pread(fd: i32, buffers: i32, count: i32, offset: i64, result: i32) -> i32;
    #[link_name = "fd_pwrite"]
    fn import_pwrite(fd: i32, buffers: i32, count: i32, offset: i64, result: i32) -> i32;
    #[link_name = "fd_filestat_set_size"]
    fn import_set_size(fd: i32, size: i64) -> i32;
    #[link_name = "fd_sync"]
    fn import_sync(fd: i32) -> i32;
    #[link_name = "fd_datasync"]
    fn import_datasync(fd: i32) -> i32;
}

/// Returns a file of the program, for the time of a call.
fn lent(number: i32) -> HeldFile {
    HeldFile(Kind::Lent(number))
}

/// Makes a call between the notices of a write.
fn write(number: i32, range: &Range<u64>, call: impl FnOnce() -> i32) -> i32 {
    observer::tell_before(range, || lent(number));
    let code = call();
    // A call that failed may have written something.
    observer::tell_after_write(range, || lent(number));
    code
}

/// Makes a call after the notice that belongs before a read.
fn read(number: i32, range: &Range<u64>, call: impl FnOnce() -> i32) -> i32 {
    observer::tell_before(range, || lent(number));
    call()
}

/// Returns the range from an offset on. The length is that of several buffers, which only the system adds up.
fn from(offset: i64) -> Range<u64> {
    range(offset.cast_unsigned(), u64::MAX)
}

/// `oflags.trunc`.
const TRUNCATE: i32 = 1 << 3;

/// The rights `fd_read` and `fd_filestat_get`.
const READ: i64 = 1 << 1 | 1 << 21;

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_path_open(
    directory: i32,
    lookup: i32,
    path: i32,
    path_len: i32,
    open_flags: i32,
    rights: i64,
    inheriting: i64,
    flags: i32,
    result: *mut i32,
) -> i32 {
    let truncates = open_flags & TRUNCATE != 0 && observer::is_watched();
    if truncates {
        let mut opened = 0;
        // The file as it is, if there is one.
        // SAFETY: the C library's own arguments, and memory for the result.
        let code = unsafe { import_open(directory, lookup, path, path_len, 0, READ, 0, 0, &raw mut opened) };
        if code == 0 {
            observer::tell_before(&EVERYTHING, || lent(opened));
            super::close(opened);
        }
    }
    // SAFETY: the C library's own call, passed on.
    let code = unsafe { import_open(directory, lookup, path, path_len, open_flags, rights, inheriting, flags, result) };
    if truncates && code == 0 {
        // SAFETY: the call has written the new descriptor there.
        let opened = unsafe { result.read_unaligned() };
        observer::tell_after_write(&EVERYTHING, || lent(opened));
    }
    code
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_allocate(fd: i32, offset: i64, length: i64) -> i32 {
    // SAFETY: the C library's own call, passed on.
    write(fd, &EVERYTHING, || unsafe { import_allocate(fd, offset, length) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_read(fd: i32, buffers: i32, count: i32, result: i32) -> i32 {
    // SAFETY: the C library's own call, passed on.
    read(fd, &EVERYTHING, || unsafe { import_read(fd, buffers, count, result) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_write(fd: i32, buffers: i32, count: i32, result: i32) -> i32 {
    // SAFETY: the C library's own call, passed on.
    write(fd, &EVERYTHING, || unsafe { import_write(fd, buffers, count, result) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_pread(
    fd: i32,
    buffers: i32,
    count: i32,
    offset: i64,
    result: i32,
) -> i32 {
    // SAFETY: the C library's own call, passed on.
    read(fd, &from(offset), || unsafe { import_pread(fd, buffers, count, offset, result) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_pwrite(
    fd: i32,
    buffers: i32,
    count: i32,
    offset: i64,
    result: i32,
) -> i32 {
    // SAFETY: the C library's own call, passed on.
    write(fd, &from(offset), || unsafe { import_pwrite(fd, buffers, count, offset, result) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_filestat_set_size(fd: i32, size: i64) -> i32 {
    // SAFETY: the C library's own call, passed on.
    write(fd, &EVERYTHING, || unsafe { import_set_size(fd, size) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_sync(fd: i32) -> i32 {
    // SAFETY: the C library's own call, passed on.
    read(fd, &EVERYTHING, || unsafe { import_sync(fd) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __imported_wasi_snapshot_preview1_fd_datasync(fd: i32) -> i32 {
    // SAFETY: the C library's own call, passed on.
    read(fd, &EVERYTHING, || unsafe { import_datasync(fd) })
}
