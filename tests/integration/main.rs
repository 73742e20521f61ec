//! The tests that need several parts of the project, in one program, so that the engine is linked once.

#![cfg(target_os = "linux")]
#![allow(unreachable_pub, reason = "the modules of a program")]

mod auto_traits;
mod bench;
mod c_programs;
mod child;
mod databases;
mod durable;
mod embedding;
mod engine_memories;
mod examples;
mod failures;
mod faults;
mod file_size;
mod files;
mod foreign;
mod full_disk;
mod fuzz;
mod growth;
mod hostile;
mod huge;
mod kept;
mod locks;
mod memmap2;
mod model;
mod names;
mod neighbours;
mod published;
mod reads;
mod scale;
mod sources;
mod stable;
mod stable_attacks;
mod stable_breaks;
mod stable_windows;
mod stale;
mod storm;
mod suite;
mod tenants;
mod window;
mod window_modes;

use wasi_mmap_test_support as support;
