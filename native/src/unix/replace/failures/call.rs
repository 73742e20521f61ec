//! The calls that can be made to fail, and the orders for them.

/// A call of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(all(target_os = "linux", feature = "failures")),
    allow(unreachable_pub, reason = "public only where tests order failures")
)]
pub enum Call {
    /// Pages are moved over others.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux moves pages"))]
    Move,
    /// A file is mapped.
    MapFile,
    /// Zeros are mapped over a target.
    MapZeros,
    /// Address space is reserved.
    Reserve,
    /// Pages are made accessible.
    Protect,
    /// Memory is unmapped.
    Unmap,
    /// A mapping is resized.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux resizes a mapping"))]
    Resize,
}

/// The order for a call.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(all(target_os = "linux", feature = "failures")), allow(dead_code, reason = "only tests order failures"))]
pub(crate) enum Order {
    /// Make the call.
    Make,
    /// Fail with this `errno`, without making the call.
    Fail(i32),
    /// Unmap the target, then fail with this `errno`.
    TakeAndFail(i32),
}
