//! The calls by which wasi-libc reads and writes files. Each is passed on to WASI, and observers are told of it.
//!
//! A descriptor's position is not known here, so that a read or a write without an offset may touch the whole file.

use std::ops::Range;
use std::os::fd::BorrowedFd;

use crate::fd;
use crate::observer::{self, EVERYTHING, range};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
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

/// Returns the identity of a file.
fn id(number: i32) -> Option<(u64, u64)> {
    // SAFETY: the C library makes a call with this descriptor. If it is not open, asking for it is an error.
    fd::id(unsafe { BorrowedFd::borrow_raw(number) }).ok()
}

/// Makes a call between the notices of a write.
fn write(number: i32, range: &Range<u64>, call: impl FnOnce() -> i32) -> i32 {
    observer::tell_before(number, range, || id(number));
    let code = call();
    // A call that failed may have written something.
    observer::tell_after_write(number, range, || id(number));
    code
}

/// Makes a call after the notice that belongs before a read.
fn read(number: i32, range: &Range<u64>, call: impl FnOnce() -> i32) -> i32 {
    observer::tell_before(number, range, || id(number));
    call()
}

/// Returns the range from an offset on. The length is that of several buffers, which only the system adds up.
fn from(offset: i64) -> Range<u64> {
    range(offset.cast_unsigned(), u64::MAX)
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
