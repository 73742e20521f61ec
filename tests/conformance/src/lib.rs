//! The behaviour suite: what a mapping does, said once and run on every backend.
//!
//! [`op`] has the operations as data, [`case`] a small language for cases, [`cases`] the cases themselves, and [`run`] what
//! runs them; [`model`] has random operations against a simple model; [`measured`] has what benchmarks time. A backend is a [`Subject`](op::Subject): any [`Mapping`](wasi_mmap_core::Mapping) is one, natively or in
//! a plugin; a plugin also makes one of the bare WIT resource.

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
