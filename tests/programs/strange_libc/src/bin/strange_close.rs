//! The C library closes files by another symbol.

#[link(wasm_import_module = "wasi:filesystem/types@0.2.12")]
unsafe extern "C" {
    #[link_name = "[resource-drop]descriptor"]
    fn import_drop(handle: i32);
}

/// What the C library calls.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap___wasm_import_filesystem_descriptor_drop(handle: i32) {
    // SAFETY: the C library's own call, passed on.
    unsafe { import_drop(handle) }
}

fn main() {
    strange_libc::check();
}
