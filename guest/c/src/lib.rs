//! `libwasi-mmap`: `<sys/mman.h>` and file locks for C programs that run as WebAssembly plugins.
//!
//! As a static library it takes the place of `libwasi-emulated-mman.a`. Plugins in Rust that link C code depend on this
//! crate, and mention it: `use wasi_mmap_c as _;`. The headers are in `include`. `docs/c.md` in the repository says
//! what each function does.
//!
//! On other targets than components, the library is empty: their C library has these functions.

#[cfg(any(component, test))]
mod areas;
#[cfg(component)]
mod plugin;
#[cfg(any(component, test))]
mod ranges;
#[cfg(any(component, test))]
mod space;
