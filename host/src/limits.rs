//! Limits on what plugins may use.

use std::fmt;

use wasi_mmap_core::{Error, Result};

/// A resource that is limited, per store, and in a [`Quota`](crate::Quota) for several stores. The command's options have the same names.
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
    /// Returns limits that refuse nothing: those of a [`Quota`](crate::Quota) which is to hold in a few respects.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{Limit, Limits};
    ///
    /// let mut limits = Limits::unlimited();
    /// limits.set(Limit::AnonymousBytes, 8 << 30);
    /// assert_eq!(limits.get(Limit::Mappings), u64::MAX);
    /// ```
    pub fn unlimited() -> Self {
        Self([u64::MAX; Limit::ALL.len()])
    }

    /// Returns limits on what a process has only so many of, such that mappings and windows take at most half of it, and
    /// owners of locks an eighth: those of the [`Quota`](crate::Quota) of a whole process.
    ///
    /// - [`Limit::Mappings`]: half of the descriptors that the process may have open now (`RLIMIT_NOFILE`), and at most
    ///   an eighth of its areas of memory;
    /// - [`Limit::Windows`]: an eighth of the areas, since a window splits the memory around it into three;
    /// - [`Limit::PartialAdvice`]: a sixteenth of the areas;
    /// - [`Limit::LockOwners`]: an eighth of the descriptors.
    ///
    /// A process has 65,530 areas on Linux unless `vm.max_map_count` says otherwise. Where the system has no such
    /// number, that one is assumed. Everything else is unlimited.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_host::{Limit, Limits};
    ///
    /// let limits = Limits::of_process();
    /// assert!(limits.get(Limit::Windows) > 0);
    /// assert_eq!(limits.get(Limit::MappedBytes), u64::MAX);
    /// ```
    pub fn of_process() -> Self {
        /// The default of Linux.
        const AREAS: u64 = 65_530;
        let areas = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        let areas = areas.and_then(|text| text.trim().parse().ok()).unwrap_or(AREAS);
        let mut limits = Self::unlimited();
        limits.set(Limit::Mappings, (descriptors() / 2).min(areas / 8));
        limits.set(Limit::Windows, areas / 8);
        limits.set(Limit::PartialAdvice, areas / 16);
        limits.set(Limit::LockOwners, descriptors() / 8);
        limits
    }

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

    /// Lowers the limits that hold for each call alone to those of `other`.
    pub(crate) fn restrict_calls(&mut self, other: &Self) {
        for limit in [Limit::BytesPerCall, Limit::WorkPerCall] {
            self.set(limit, self.get(limit).min(other.get(limit)));
        }
    }
}

/// Returns the number of descriptors that the process may have open.
#[cfg(unix)]
fn descriptors() -> u64 {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Returns the number of handles that a process may have open.
#[cfg(not(unix))]
fn descriptors() -> u64 {
    1 << 24
}

/// Returns the error for a request of `needed` where `most` is allowed.
pub(crate) fn exceeded(limit: Limit, most: u64, needed: u64) -> Error {
    Error::LimitExceeded(format!("{limit} is {most}, and {needed} would be needed").into())
}
