//! Attaching and detaching windows.

mod plan;
#[cfg(unix)]
mod stable;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod unsupported;

pub use plan::WindowPlan;
