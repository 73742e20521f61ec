//! Stability on Linux.
//!
//! A lease is the only guarantee that ends. When somebody wants to write, the memory that was guaranteed is replaced by
//! a [copy], and the lease is given up, by the thread in [`watch`]. The one in [`deadline`] ends the process if that
//! takes too long.

mod copy;
mod deadline;
mod fcntl;
mod guarantee;
mod lease;
mod permanent;
mod signals;
mod watch;

pub(crate) use guarantee::{Guarantee, StablePages};
