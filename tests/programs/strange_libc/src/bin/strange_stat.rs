//! The C library asks about files by another symbol.

#[link(wasm_import_module = "wasi:filesystem/types@0.2.12")]
unsafe extern "C" {
    #[link_name = "[method]descriptor.stat"]
    fn import_stat(handle: i32, result: *mut u8);
}

/// What the C library calls.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___wasm_import_filesystem_method_descriptor_stat(handle: i32, result: *mut u8) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_stat(handle, result) }
}

fn main() {
    strange_libc::check();
}
