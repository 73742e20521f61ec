//! The fallback component: it implements `wasi-mmap:mmap` over `wasi:filesystem`, for hosts that do not provide it.
//!
//! `wasi-mmap compose` plugs it into a plugin, and the result imports only WASI 0.2. The component connects the
//! interface to the library's fallback, and the fallback to WASI's descriptors.

mod bindings;
mod lock;
mod mapping;
mod window;

struct Component;

bindings::export!(Component with_types_in bindings);
