//! Failures on demand, for tests. Without the feature `failures`, every call is made.

mod call;
#[cfg(not(all(target_os = "linux", feature = "failures")))]
mod disabled;
#[cfg(all(target_os = "linux", feature = "failures"))]
mod ordered;

#[cfg(all(target_os = "linux", feature = "failures"))]
pub use call::Call;
#[cfg(not(all(target_os = "linux", feature = "failures")))]
pub(crate) use call::Call;
pub(super) use call::Order;
#[cfg(all(target_os = "linux", not(feature = "failures")))]
pub(crate) use disabled::check;
#[cfg(not(all(target_os = "linux", feature = "failures")))]
pub(super) use disabled::{order, taken};
#[cfg(all(target_os = "linux", feature = "failures"))]
pub(crate) use ordered::check;
#[cfg(all(target_os = "linux", feature = "failures"))]
pub use ordered::{Kind, be_careful, end, fail, order_calls, order_calls_of};
#[cfg(all(target_os = "linux", feature = "failures"))]
pub(super) use ordered::{order, taken};
