//! The calls by which wasi-libc reads and writes files. Each is passed on to WASI, and observers are told of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ops::Range;

use rustc_hash::FxBuildHasher;

use super::{HeldFile, synced};
use crate::bindings::wasi::filesystem::types::{Descriptor, ErrorCode};
use crate::observer::{self, EVERYTHING, range};

#[link(wasm_import_module = "wasi:filesystem/types@0.2.12")]
unsafe extern "C" {
    #[link_name = "[method]descriptor.open-at"]
    fn import_open_at(
        directory: i32,
        path_flags: i32,
        path: *const u8,
        path_len: usize,
        open_flags: i32,
        flags: i32,
        result: *mut u8,
    );
    #[link_name = "[method]descriptor.read"]
    fn import_read(handle: i32, length: u64, offset: u64, result: *mut u8);
    #[link_name = "[method]descriptor.write"]
    fn import_write(handle: i32, bytes: *const u8, length: usize, offset: u64, result: *mut u8);
    #[link_name = "[method]descriptor.read-via-stream"]
    fn import_read_via_stream(handle: i32, offset: u64, result: *mut u8);
    #[link_name = "[method]descriptor.write-via-stream"]
    fn import_write_via_stream(handle: i32, offset: u64, result: *mut u8);
    #[link_name = "[method]descriptor.append-via-stream"]
    fn import_append_via_stream(handle: i32, result: *mut u8);
    #[link_name = "[method]descriptor.set-size"]
    fn import_set_size(handle: i32, size: u64, result: *mut u8);
    #[link_name = "[method]descriptor.sync"]
    fn import_sync(handle: i32, result: *mut u8);
    #[link_name = "[method]descriptor.sync-data"]
    fn import_sync_data(handle: i32, result: *mut u8);
}

#[link(wasm_import_module = "wasi:io/streams@0.2.12")]
unsafe extern "C" {
    #[link_name = "[method]input-stream.blocking-read"]
    fn import_blocking_read(stream: i32, length: u64, result: *mut u8);
    #[link_name = "[method]output-stream.write"]
    fn import_stream_write(stream: i32, bytes: *const u8, length: usize, result: *mut u8);
    #[link_name = "[method]output-stream.blocking-flush"]
    fn import_blocking_flush(stream: i32, result: *mut u8);
    #[link_name = "[resource-drop]input-stream"]
    fn import_input_drop(stream: i32);
    #[link_name = "[resource-drop]output-stream"]
    fn import_output_drop(stream: i32);
}

/// A stream of a file.
#[derive(Debug, Clone)]
struct Stream {
    /// The handle of its descriptor, which the C library keeps open as long as the stream.
    descriptor: i32,
    /// The offset in the file of the next byte; `None` for a stream that appends.
    position: Option<u64>,
    /// The range that was written and may not be in the file yet.
    pending: Option<Range<u64>>,
}

/// The result of a call, as the canonical ABI lays it out.
#[repr(C)]
struct Returned<T> {
    /// 0 for success.
    is_error: u8,
    /// The value of a success. After an error, it is less than `T`, or nothing.
    value: MaybeUninit<T>,
}

thread_local! {
    /// The streams of files by their handles. They are recorded even if nobody watches: a stream outlives that.
    static STREAMS: RefCell<HashMap<i32, Stream, FxBuildHasher>> = const { RefCell::new(HashMap::with_hasher(FxBuildHasher)) };
}

/// Returns a file of the C library, for the time of a call.
pub(super) fn lent(handle: i32) -> HeldFile {
    // SAFETY: the C library makes a call with this handle, so that it exists. It is not dropped here.
    HeldFile(super::Kind::Lent(ManuallyDrop::new(unsafe { Descriptor::from_handle(handle.cast_unsigned()) })))
}

/// Tells that a range of a file is going to be read or written.
fn tell_before(handle: i32, range: &Range<u64>) {
    observer::tell_before(range, || lent(handle));
}

/// Tells that a range of a file was written.
fn tell_after_write(handle: i32, range: &Range<u64>) {
    observer::tell_after_write(range, || lent(handle));
}

/// Returns the stream behind a handle; `None` for one that is not a file's.
fn stream(handle: i32) -> Option<Stream> {
    STREAMS.with_borrow(|streams| streams.get(&handle).cloned())
}

/// Returns the handle that a call has opened, unless it failed.
///
/// # Safety
///
/// `result` has the result of the call, such as `result<own<descriptor>, error-code>`.
unsafe fn returned_handle(result: *const u8) -> Option<i32> {
    // SAFETY: the result is there, aligned as all results.
    let returned = unsafe { result.cast::<Returned<i32>>().read() };
    // SAFETY: if the call succeeded, the handle is there.
    (returned.is_error == 0).then(|| unsafe { returned.value.assume_init() })
}

/// Returns the code of the error of a call, unless it succeeded. It lies at an offset, which depends on the value of a
/// success.
///
/// # Safety
///
/// `result` has the result of the call: `result<T, error-code>`, with its payload at `offset`.
unsafe fn returned_error(result: *const u8, offset: usize) -> Option<u8> {
    // SAFETY: the result is there; its first byte is 0 for success.
    if unsafe { result.read() } == 0 {
        return None;
    }
    // SAFETY: the call failed, so that the code is there.
    Some(unsafe { result.wrapping_add(offset).read() })
}

/// Records the stream that a call has opened.
///
/// # Safety
///
/// `result` has the result of the call: `result<own<input-stream>, error-code>` or the same of an output stream.
unsafe fn record(descriptor: i32, position: Option<u64>, result: *const u8) {
    // SAFETY: the contract is the caller's.
    if let Some(handle) = unsafe { returned_handle(result) } {
        STREAMS.with_borrow_mut(|streams| streams.insert(handle, Stream { descriptor, position, pending: None }));
    }
}

/// `open-flags.truncate`.
const TRUNCATE: i32 = 1 << 3;

/// `descriptor-flags.read`.
const READ: i32 = 1;

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_open_at(
    directory: i32,
    path_flags: i32,
    path: *const u8,
    path_len: usize,
    open_flags: i32,
    flags: i32,
    result: *mut u8,
) {
    let truncates = open_flags & TRUNCATE != 0 && observer::is_watched();
    if truncates {
        let mut opened = MaybeUninit::<Returned<i32>>::uninit();
        let before = opened.as_mut_ptr().cast();
        // The file as it is, if there is one.
        // SAFETY: the C library's own arguments, and memory for the result.
        unsafe { import_open_at(directory, path_flags, path, path_len, 0, READ, before) };
        // SAFETY: the call has written its result.
        if let Some(handle) = unsafe { returned_handle(before) } {
            // SAFETY: the handle is new, and nobody else has it.
            let file = HeldFile::from(unsafe { Descriptor::from_handle(handle.cast_unsigned()) });
            observer::tell_before(&EVERYTHING, || file);
        }
    }
    // SAFETY: the C library's own call, passed on.
    unsafe { import_open_at(directory, path_flags, path, path_len, open_flags, flags, result) };
    if let Some(remaining) = synced::without(flags) {
        // SAFETY: the call has written its result.
        let error = unsafe { returned_error(result, 4) };
        if error == Some(ErrorCode::Unsupported as u8) {
            // SAFETY: the C library's own arguments but these flags, and memory for the result.
            unsafe { import_open_at(directory, path_flags, path, path_len, open_flags, remaining, result) };
            // SAFETY: the call has written its result.
            if let Some(handle) = unsafe { returned_handle(result) } {
                synced::record(handle, flags);
            }
        }
    }
    if truncates {
        // SAFETY: the call has written its result.
        if let Some(handle) = unsafe { returned_handle(result) } {
            tell_after_write(handle, &EVERYTHING);
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_read(
    handle: i32,
    length: u64,
    offset: u64,
    result: *mut u8,
) {
    tell_before(handle, &range(offset, length));
    // SAFETY: the C library's own call, passed on.
    unsafe { import_read(handle, length, offset, result) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_write(
    handle: i32,
    bytes: *const u8,
    length: usize,
    offset: u64,
    result: *mut u8,
) {
    let range = range(offset, length as u64);
    tell_before(handle, &range);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_write(handle, bytes, length, offset, result) };
    // SAFETY: the call has written its result, `result<filesize, error-code>`.
    if unsafe { returned_error(result, 8) }.is_none()
        && let Err(code) = synced::after_write(handle)
    {
        // SAFETY: the result has 16 bytes, of which the first says that it is an error.
        unsafe { result.write(1) };
        // SAFETY: as above; the code is where the number of bytes was.
        unsafe { result.wrapping_add(8).write(code as u8) };
    }
    // A call that failed may have written something.
    tell_after_write(handle, &range);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_set_size(handle: i32, size: u64, result: *mut u8) {
    tell_before(handle, &EVERYTHING);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_set_size(handle, size, result) };
    tell_after_write(handle, &EVERYTHING);
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_sync(handle: i32, result: *mut u8) {
    tell_before(handle, &EVERYTHING);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_sync(handle, result) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_sync_data(handle: i32, result: *mut u8) {
    tell_before(handle, &EVERYTHING);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_sync_data(handle, result) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_read_via_stream(
    handle: i32,
    offset: u64,
    result: *mut u8,
) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_read_via_stream(handle, offset, result) };
    // SAFETY: the call has written its result.
    unsafe { record(handle, Some(offset), result) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_write_via_stream(
    handle: i32,
    offset: u64,
    result: *mut u8,
) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_write_via_stream(handle, offset, result) };
    // SAFETY: the call has written its result.
    unsafe { record(handle, Some(offset), result) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_filesystem_method_descriptor_append_via_stream(handle: i32, result: *mut u8) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_append_via_stream(handle, result) };
    // SAFETY: the call has written its result.
    unsafe { record(handle, None, result) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_streams_method_input_stream_blocking_read(
    handle: i32,
    length: u64,
    result: *mut u8,
) {
    let known = stream(handle);
    if let Some(Stream { descriptor, position: Some(position), .. }) = known {
        tell_before(descriptor, &range(position, length));
    }
    // SAFETY: the C library's own call, passed on.
    unsafe { import_blocking_read(handle, length, result) };
    if known.is_some() {
        // SAFETY: the call has written its result, `result<list<u8>, stream-error>`.
        let returned = unsafe { result.cast::<Returned<[u32; 2]>>().read() };
        if returned.is_error == 0 {
            // SAFETY: the call succeeded, so that the list's address and length are there.
            let [_, count] = unsafe { returned.value.assume_init() };
            advance(handle, count.into());
        }
    }
}

/// Moves the position of a stream on.
fn advance(handle: i32, count: u64) {
    STREAMS.with_borrow_mut(|streams| {
        if let Some(Stream { position: Some(position), .. }) = streams.get_mut(&handle) {
            *position = position.saturating_add(count);
        }
    });
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_streams_method_output_stream_write(
    handle: i32,
    bytes: *const u8,
    length: usize,
    result: *mut u8,
) {
    if let (true, Some(known)) = (observer::is_watched(), stream(handle)) {
        let written = match known.position {
            Some(position) => range(position, length as u64),
            // It appends from the end of the file on, wherever that is.
            None => lent(known.descriptor).len().unwrap_or(0)..u64::MAX,
        };
        tell_before(known.descriptor, &written);
        STREAMS.with_borrow_mut(|streams| {
            if let Some(Stream { pending, .. }) = streams.get_mut(&handle) {
                let union = |old: Range<u64>| old.start.min(written.start)..old.end.max(written.end);
                *pending = Some(pending.take().map_or(written.clone(), union));
            }
        });
    }
    advance(handle, length as u64);
    // SAFETY: the C library's own call, passed on.
    unsafe { import_stream_write(handle, bytes, length, result) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_streams_method_output_stream_blocking_flush(handle: i32, result: *mut u8) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_blocking_flush(handle, result) };
    // SAFETY: the call has written its result, `result<_, stream-error>`, whose first byte is 0 for success.
    if unsafe { result.read() } == 0
        && let Some(Stream { descriptor, .. }) = stream(handle)
        && synced::after_write(descriptor).is_err()
    {
        // SAFETY: the result has 12 bytes, of which the first says that it is an error.
        unsafe { result.write(1) };
        // SAFETY: as above. `stream-error.closed`: the other case has a handle of an error, which only the host makes.
        unsafe { result.wrapping_add(4).write(1) };
    }
    settle(handle);
}

/// Tells that what was written to a stream is in the file. A call that failed may have written something.
fn settle(handle: i32) {
    let pending = STREAMS.with_borrow_mut(|streams| {
        let stream = streams.get_mut(&handle)?;
        Some((stream.descriptor, stream.pending.take()?))
    });
    if let Some((descriptor, written)) = pending {
        tell_after_write(descriptor, &written);
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_streams_input_stream_drop(handle: i32) {
    STREAMS.with_borrow_mut(|streams| streams.remove(&handle));
    // SAFETY: the C library's own call, passed on.
    unsafe { import_input_drop(handle) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wasm_import_streams_output_stream_drop(handle: i32) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_output_drop(handle) };
    settle(handle);
    STREAMS.with_borrow_mut(|streams| streams.remove(&handle));
}
