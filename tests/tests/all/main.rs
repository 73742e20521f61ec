//! The tests that need several parts of the project, in one program: the engine is linked once.

#![allow(unreachable_pub, reason = "the modules of a program")]

mod bench;
mod embedding;
mod files;
mod model;
mod suite;
mod support;
mod window;
