//! The conformance suite: the behaviour of a mapping, written once and run on every backend.
//!
//! [`case`] is a small language for cases, [`cases`] has the cases, [`op`] their operations as data, and [`run`] runs
//! them. [`model`] runs random operations against a simple model, and [`measured`] is what benchmarks time. A backend
//! is a [`Subject`](op::Subject), as every [`Mapping`](wasi_mmap_core::Mapping) is, natively and in a plugin. A plugin
//! implements it for the resource of the WIT interface, too.

#![expect(clippy::cast_possible_truncation, reason = "cases are small, and a wrong number fails a test")]

pub mod case;
pub mod cases;
pub mod durable;
pub mod full_disk;
#[cfg(target_os = "linux")]
pub mod fuzz;
pub mod large;
pub mod measured;
pub mod memory;
pub mod model;
pub mod op;
pub mod run;
pub mod storm;
pub mod viewing;

/// Returns whether tests run in their long form: whether the environment variable `WASI_MMAP_LONG` is set.
pub fn is_long() -> bool {
    std::env::var_os("WASI_MMAP_LONG").is_some()
}
