//! The component that takes the host's place where there is none: `wasi-mmap:mmap` over `wasi:filesystem`.
//!
//! `wasi-mmap compose` plugs it into a plugin; the result imports nothing but WASI 0.2. All it does is to bring the
//! library's fallback, the interface and WASI's descriptors together.

mod bindings;
mod descriptor;
mod mapping;
mod window;

struct Component;

bindings::export!(Component with_types_in bindings);
