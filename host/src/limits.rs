//! The limits of one store's plugin.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasi_mmap_core::{Error, Result};

/// A resource that is limited, per store. The command's options have the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// The number of mappings at a time. Default 1,024: a process has 65,530 on Linux (`vm.max_map_count`).
    Mappings,
    /// The bytes of files that are mapped at a time. Default 1 TiB: address space, which costs nothing until it is
    /// used.
    MappedBytes,
    /// The bytes of anonymous and named memory at a time. Default 1 GiB: memory of the host.
    AnonymousBytes,
    /// The number of windows at a time. Default 1,024: each is an area of memory of the process.
    Windows,
    /// The bytes of windows at a time. Default 4 GiB: all of a plugin's memory.
    WindowBytes,
    /// The bytes of windows that rest on leases at a time. Default 1 GiB: they become memory of the host when somebody
    /// opens the file for writing.
    HeldBytes,
    /// The number of times that a part of a mapping may be given advice that lasts. Default 1,024: each may split one
    /// area of memory into three, and a process has 65,530 on Linux. Advice for a whole mapping is free.
    PartialAdvice,
    /// The number of owners of locks at a time. Default 256: each is a descriptor of the process.
    LockOwners,
    /// The number of locked ranges at a time, of all owners. Default 4,096: each is a record of the kernel.
    Locks,
    /// The bytes that one call may carry to the plugin. Default 1 GiB: a quarter of what a plugin can hold.
    BytesPerCall,
    /// The bytes that one call may search, fill, copy, or pass over in a slice with a step. Default 256 GiB: about half
    /// a minute.
    WorkPerCall,
}

impl Limit {
    /// All limits.
    pub const ALL: [Self; 11] = [
        Self::Mappings,
        Self::MappedBytes,
        Self::AnonymousBytes,
        Self::Windows,
        Self::WindowBytes,
        Self::HeldBytes,
        Self::PartialAdvice,
        Self::LockOwners,
        Self::Locks,
        Self::BytesPerCall,
        Self::WorkPerCall,
    ];

    /// Returns the limit's name, as errors and the command line spell it.
    ///
    /// # Example
    ///
    /// ```
    /// assert_eq!(wasi_mmap_host::Limit::MappedBytes.name(), "mapped-bytes");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Mappings => "mappings",
            Self::MappedBytes => "mapped-bytes",
            Self::AnonymousBytes => "anonymous-bytes",
            Self::Windows => "windows",
            Self::WindowBytes => "window-bytes",
            Self::HeldBytes => "held-bytes",
            Self::PartialAdvice => "partial-advice",
            Self::LockOwners => "lock-owners",
            Self::Locks => "locks",
            Self::BytesPerCall => "bytes-per-call",
            Self::WorkPerCall => "work-per-call",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The limits of a store. Those of calls hold for each call alone.
///
/// # Example
///
/// ```
/// use wasi_mmap_host::{Limit, Limits, MmapCtx};
///
/// let mut limits = Limits::default();
/// assert_eq!(limits.get(Limit::Mappings), 1024);
/// limits.set(Limit::Mappings, 16);
/// let ctx = MmapCtx::builder().limits(limits).build();
/// assert_eq!(ctx.limits().get(Limit::Mappings), 16);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([u64; Limit::ALL.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self([1024, 1 << 40, 1 << 30, 1024, 4 << 30, 1 << 30, 1024, 256, 4096, 1 << 30, 256 << 30])
    }
}

impl Limits {
    /// Returns a limit: a count, or bytes.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Sets a limit: a count, or bytes.
    pub fn set(&mut self, limit: Limit, to: u64) {
        self.0[limit as usize] = to;
    }

    /// Checks that a call needs no more than a limit.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`].
    pub(crate) fn check(&self, limit: Limit, needed: u64) -> Result<()> {
        if needed <= self.get(limit) { Ok(()) } else { Err(exceeded(limit, self.get(limit), needed)) }
    }
}

fn exceeded(limit: Limit, most: u64, needed: u64) -> Error {
    Error::LimitExceeded(format!("{limit} is {most}, and {needed} would be needed").into())
}

/// The present use of a store's limits, shared by all its mappings.
#[derive(Debug, Default)]
pub struct Usage {
    mappings: AtomicU64,
    mapped_bytes: AtomicU64,
    anonymous_bytes: AtomicU64,
    windows: AtomicU64,
    window_bytes: AtomicU64,
    held_bytes: AtomicU64,
    partial_advice: AtomicU64,
    lock_owners: AtomicU64,
    locks: AtomicU64,
}

impl Usage {
    /// Returns the present use of a limit: 0 for those that hold for each call alone.
    pub fn get(&self, limit: Limit) -> u64 {
        self.counter(limit).map_or(0, |counter| counter.load(Relaxed))
    }

    fn counter(&self, limit: Limit) -> Option<&AtomicU64> {
        match limit {
            Limit::Mappings => Some(&self.mappings),
            Limit::MappedBytes => Some(&self.mapped_bytes),
            Limit::AnonymousBytes => Some(&self.anonymous_bytes),
            Limit::Windows => Some(&self.windows),
            Limit::WindowBytes => Some(&self.window_bytes),
            Limit::HeldBytes => Some(&self.held_bytes),
            Limit::PartialAdvice => Some(&self.partial_advice),
            Limit::LockOwners => Some(&self.lock_owners),
            Limit::Locks => Some(&self.locks),
            Limit::BytesPerCall | Limit::WorkPerCall => None,
        }
    }
}

/// A part of a limit, which is returned when the permit is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Permit {
    usage: Arc<Usage>,
    limit: Limit,
    amount: u64,
}

impl Permit {
    /// Returns a permit for an amount.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`].
    pub(crate) fn new(usage: &Arc<Usage>, limits: &Limits, limit: Limit, amount: u64) -> Result<Self> {
        let mut permit = Self { usage: Arc::clone(usage), limit, amount: 0 };
        permit.change(limits, amount)?;
        Ok(permit)
    }

    /// Changes the amount. A smaller one is always granted.
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`]; the permit keeps the old amount then.
    pub(crate) fn change(&mut self, limits: &Limits, amount: u64) -> Result<()> {
        let (limit, old) = (self.limit, self.amount);
        let Some(counter) = self.usage.counter(limit) else { return Ok(()) };
        let most = limits.get(limit);
        let grant = |used: u64| (used - old).checked_add(amount).filter(|&needed| needed <= most || amount <= old);
        if let Err(used) = counter.try_update(Relaxed, Relaxed, grant) {
            return Err(exceeded(limit, most, (used - old).saturating_add(amount)));
        }
        self.amount = amount;
        Ok(())
    }

    pub(crate) fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(counter) = self.usage.counter(self.limit) {
            counter.fetch_sub(self.amount, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_holds_until_permits_are_returned() {
        let (usage, mut limits) = (Arc::new(Usage::default()), Limits::default());
        limits.set(Limit::MappedBytes, 100);
        let mut first = Permit::new(&usage, &limits, Limit::MappedBytes, 60).expect("60 of 100");
        let refused = Permit::new(&usage, &limits, Limit::MappedBytes, 41).expect_err("101 of 100");
        assert_eq!(refused.to_string(), "limit exceeded: mapped-bytes is 100, and 101 would be needed");
        assert!(Permit::new(&usage, &limits, Limit::MappedBytes, u64::MAX).is_err());
        first.change(&limits, 100).expect("100 of 100");
        assert!(first.change(&limits, 101).is_err());
        assert_eq!(usage.get(Limit::MappedBytes), 100);
        first.change(&limits, 1).expect("less");
        let second = Permit::new(&usage, &limits, Limit::MappedBytes, 99).expect("100 of 100");
        drop((first, second));
        assert_eq!(usage.get(Limit::MappedBytes), 0);
    }
}
