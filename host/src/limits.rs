//! What the plugin of one store may use.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasi_mmap_core::{Error, Result};

/// A thing that is limited, per store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// How many mappings there may be at a time. Default 1,024: a process has 65,530 on Linux (`vm.max_map_count`).
    Mappings,
    /// How many bytes of files may be mapped at a time. Default 1 TiB: address space, which costs nothing until it is used.
    MappedBytes,
    /// How many bytes of anonymous and named memory there may be at a time. Default 1 GiB: memory of the host.
    AnonymousBytes,
    /// How many windows there may be at a time. Default 1,024: each is an area of memory of the process.
    Windows,
    /// How many bytes of windows there may be at a time. Default 4 GiB: all of a plugin's memory.
    WindowBytes,
    /// How many bytes windows may hold still by leases at a time. Default 1 GiB: each is a byte of the host's memory once somebody
    /// writes to the file.
    HeldBytes,
    /// How many times parts of mappings may be given advice that lasts. Default 1,024: each may make three areas of memory of
    /// one, of which the process has 65,530 on Linux. Advice for a whole mapping is free.
    PartialAdvice,
    /// How many bytes one call may carry to the plugin. Default 1 GiB: a quarter of what a plugin can hold.
    BytesPerCall,
    /// How many bytes one call may search, fill, copy, or pass over in a slice with a step. Default 256 GiB: about half a minute.
    WorkPerCall,
}

impl Limit {
    /// All limits.
    pub const ALL: [Self; 9] = [
        Self::Mappings,
        Self::MappedBytes,
        Self::AnonymousBytes,
        Self::Windows,
        Self::WindowBytes,
        Self::HeldBytes,
        Self::PartialAdvice,
        Self::BytesPerCall,
        Self::WorkPerCall,
    ];

    /// The limit's name, as errors and the command line spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mappings => "mappings",
            Self::MappedBytes => "mapped-bytes",
            Self::AnonymousBytes => "anonymous-bytes",
            Self::Windows => "windows",
            Self::WindowBytes => "window-bytes",
            Self::HeldBytes => "held-bytes",
            Self::PartialAdvice => "partial-advice",
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits([u64; Limit::ALL.len()]);

impl Default for Limits {
    fn default() -> Self {
        Self([1024, 1 << 40, 1 << 30, 1024, 4 << 30, 1 << 30, 1024, 1 << 30, 256 << 30])
    }
}

impl Limits {
    /// What a limit is: a count, or bytes.
    pub fn get(&self, limit: Limit) -> u64 {
        self.0[limit as usize]
    }

    /// Sets a limit.
    pub fn set(&mut self, limit: Limit, to: u64) {
        self.0[limit as usize] = to;
    }

    /// Refuses a call that needs more than a limit.
    pub(crate) fn check(&self, limit: Limit, needed: u64) -> Result<()> {
        if needed <= self.get(limit) { Ok(()) } else { Err(exceeded(limit, self.get(limit), needed)) }
    }
}

fn exceeded(limit: Limit, most: u64, needed: u64) -> Error {
    Error::LimitExceeded(format!("{limit} is {most}, and {needed} would be needed").into())
}

/// What a store's mappings use now; shared by all of them.
#[derive(Debug, Default)]
pub struct Usage {
    mappings: AtomicU64,
    mapped_bytes: AtomicU64,
    anonymous_bytes: AtomicU64,
    windows: AtomicU64,
    window_bytes: AtomicU64,
    held_bytes: AtomicU64,
    partial_advice: AtomicU64,
}

impl Usage {
    /// How much of a limit is used: 0 for those that hold for each call alone.
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
            Limit::BytesPerCall | Limit::WorkPerCall => None,
        }
    }
}

/// A part of a limit that is taken, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Taken {
    usage: Arc<Usage>,
    limit: Limit,
    amount: u64,
}

impl Taken {
    /// Takes an amount.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`.
    pub(crate) fn new(usage: &Arc<Usage>, limits: &Limits, limit: Limit, amount: u64) -> Result<Self> {
        let mut taken = Self { usage: Arc::clone(usage), limit, amount: 0 };
        taken.change(limits, amount)?;
        Ok(taken)
    }

    /// Takes another amount in its place; less is always granted.
    ///
    /// # Errors
    ///
    /// `limit-exceeded`, and the old amount stays taken.
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

impl Drop for Taken {
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
    fn a_limit_is_kept_and_given_back() {
        let (usage, mut limits) = (Arc::new(Usage::default()), Limits::default());
        limits.set(Limit::MappedBytes, 100);
        let mut first = Taken::new(&usage, &limits, Limit::MappedBytes, 60).expect("60 of 100");
        let refused = Taken::new(&usage, &limits, Limit::MappedBytes, 41).expect_err("101 of 100");
        assert_eq!(refused.to_string(), "limit exceeded: mapped-bytes is 100, and 101 would be needed");
        assert!(Taken::new(&usage, &limits, Limit::MappedBytes, u64::MAX).is_err());
        first.change(&limits, 100).expect("100 of 100");
        assert!(first.change(&limits, 101).is_err());
        assert_eq!(usage.get(Limit::MappedBytes), 100);
        first.change(&limits, 1).expect("less");
        let second = Taken::new(&usage, &limits, Limit::MappedBytes, 99).expect("100 of 100");
        drop((first, second));
        assert_eq!(usage.get(Limit::MappedBytes), 0);
    }
}
