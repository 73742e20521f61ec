//! Failures on demand, which only tests have: here, every call is made.

use std::ops::Range;

use super::call::Order;

pub(crate) use super::call::Call;

#[inline]
pub(super) fn order(_: Call) -> Order {
    Order::Make
}

#[inline]
pub(super) fn taken(_: &Range<usize>) {}

/// Returns no error.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn check(_: Call) -> std::io::Result<()> {
    Ok(())
}
