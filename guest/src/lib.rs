//! Memory-mapped files for WebAssembly plugins and native programs, with one API.
//!
//! [`Mapping`] is a sequence of bytes with a cursor over a file, like Python's `mmap.mmap`. The compilation target
//! chooses its implementation; the program's source stays the same:
//!
//! | target | [`Mapping`] is |
//! |---|---|
//! | `wasm32-wasip2`, `wasm32-wasip3`: a component | the host's, through the import `wasi-mmap:mmap` |
//! | the same without the feature `import` | [`fallback::Mapping`], over ordinary file I/O |
//! | `wasm32-wasip1`, a module | [`fallback::Mapping`] |
//! | all others | the operating system's, from `wasi-mmap-native` |
//!
//! For hosts that do not provide `wasi-mmap:mmap`, `wasi-mmap compose` adds the fallback component to the plugin. The
//! plugin asks it what it is, and then maps files by itself, with the [`fallback`] that it contains: no byte crosses
//! the border of a component. The feature `fallback` costs about 100 KB; without it, the component does the work.
//!
//! ```
//! use wasi_mmap::Mapping;
//!
//! fn count(path: &str, needle: &[u8]) -> wasi_mmap::Result<usize> {
//!     let mapping = Mapping::open(path)?;
//!     let (mut count, mut start) = (0, 0);
//!     while let Some(offset) = mapping.find(needle, start..)? {
//!         count += 1;
//!         start = offset + 1;
//!     }
//!     Ok(count)
//! }
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("text");
//! # std::fs::write(&path, "mmap, mmap")?;
//! # assert_eq!(count(path.to_str().unwrap(), b"mmap")?, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod fallback;
pub mod lock;
pub mod view;

#[cfg(imported)]
mod imported;

#[cfg(imported)]
pub use imported::{Mapping, MappingOptions, PluginStorage};
#[cfg(imported)]
pub use wasi_mmap_sys::bindings;

#[cfg(all(target_family = "wasm", not(imported)))]
pub use fallback::{Mapping, MappingOptions};

#[cfg(not(target_family = "wasm"))]
pub use wasi_mmap_native::{Mapping, MappingOptions};

pub use view::{View, ViewMut, Views};
pub use wasi_mmap_core::{
    Access, Advice, Argument, Error, FlushFlags, MapFlags, OsError, Result, Rights, Slice, System,
};
pub use wasi_mmap_sys::wasi_error;
