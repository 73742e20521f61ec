//! What a WebAssembly plugin needs to map the files that its C library has opened. Programs use the crate `wasi-mmap`,
//! or one that stands for a library which they know, such as `memmap2`.
//!
//! | module | contains | plugins |
//! |---|---|---|
//! | `HeldFile` | an open file of wasi-libc that stays open when the program closes it | all |
//! | `window` | the file's own pages in the plugin's memory, with the memory that they need | components |
//! | [`copies`] | mappings that are copies, where there are no windows | all |
//! | `observer` | notices of the program's ordinary reads and writes, for those who keep bytes of files in memory | all |
//! | `bindings` | the interface as `wit-bindgen` generates it | components |
//! | `fd` | rights and identity of a descriptor, which the standard library does not provide | all |
//!
//! `window` and the larger part of `bindings` need the feature `import`. On other targets than WASI, there are only [`copies`] and
//! [`wasi_error`].
//!
//! # From a file descriptor to its handle
//!
//! `wasi:filesystem` knows files by handles, and C programs by numbers that wasi-libc keeps in a table of its own. The
//! libc calls the functions of WASI through symbols that it declares and does not define. This crate defines those for
//! files, and passes every call on:
//!
//! - the call behind `fstat(2)`, which shows the handle of the descriptor that is asked about;
//! - the call behind `close(2)`, which leaves a handle open as long as a `HeldFile` needs it;
//! - the calls that open, read, write and truncate files, of which observers are told.
//!
//! Nothing depends on the layout of the libc's table, which differs between its versions. A libc that uses other
//! symbols is noticed when the first file is held, by opening and closing a directory: all files are
//! [`Unsupported`](std::io::ErrorKind::Unsupported) then, and none is mistaken for another.

#[cfg(component)]
pub mod bindings;
#[cfg(component)]
mod component;
pub mod copies;
mod error_code;
#[cfg(target_os = "wasi")]
pub mod fd;
#[cfg(target_os = "wasi")]
mod held;
#[cfg(module)]
mod module;
#[cfg(target_os = "wasi")]
pub mod observer;
#[cfg(all(component, feature = "import"))]
pub mod window;

#[cfg(component)]
use component as sys;
#[cfg(module)]
use module as sys;

pub use error_code::wasi_error;

#[cfg(component)]
pub use component::HeldFile;
#[cfg(module)]
pub use module::HeldFile;
