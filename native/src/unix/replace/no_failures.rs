//! Failures on demand, which only tests have: here, every call is made.

use std::ops::Range;

/// A call of the system.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Call {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux moves pages"))]
    Move,
    MapFile,
    MapZeros,
    Reserve,
    Protect,
    Unmap,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux resizes"))]
    Resize,
}

/// What is to be done of a call.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Make,
    #[expect(dead_code, reason = "only tests order failures")]
    Fail(i32),
    #[expect(dead_code, reason = "only tests order failures")]
    TakeAndFail(i32),
}

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
