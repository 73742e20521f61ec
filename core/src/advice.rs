//! Advice on the use of a range.

/// Advice on how a range will be used: POSIX `posix_madvise(3)`, Linux `madvise(2)`, Python `mmap.madvise` with
/// `MADV_*`.
///
/// Each item names its constant and its number on Linux, or on the one system that has it. Advice that the system does
/// not have, or that the backend does not pass on, is refused with [`Error::Unsupported`](crate::Error::Unsupported):
/// `wasi-mmap-native` passes on all of Linux's advice, and elsewhere POSIX's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// No special treatment. `MADV_NORMAL`, 0.
    Normal,
    /// Expect reads in random order. `MADV_RANDOM`, 1.
    Random,
    /// Expect reads in order. `MADV_SEQUENTIAL`, 2.
    Sequential,
    /// Expect access soon. `MADV_WILLNEED`, 3.
    WillNeed,
    /// Expect no access soon; private changes are lost. `MADV_DONTNEED`, 4.
    DontNeed,
    /// The contents are not needed any more; private anonymous memory only. `MADV_FREE`, 8.
    Free,
    /// Free the pages and their space in the file; they read as zeros afterwards. `MADV_REMOVE`, 9.
    Remove,
    /// Do not give the pages to a child process. `MADV_DONTFORK`, 10.
    DontFork,
    /// Undo [`DontFork`](Self::DontFork). `MADV_DOFORK`, 11.
    DoFork,
    /// Merge equal pages. `MADV_MERGEABLE`, 12.
    Mergeable,
    /// Undo [`Mergeable`](Self::Mergeable). `MADV_UNMERGEABLE`, 13.
    Unmergeable,
    /// Prefer huge pages. `MADV_HUGEPAGE`, 14.
    HugePage,
    /// Avoid huge pages. `MADV_NOHUGEPAGE`, 15.
    NoHugePage,
    /// Leave the pages out of a core dump. `MADV_DONTDUMP`, 16.
    DontDump,
    /// Undo [`DontDump`](Self::DontDump). `MADV_DODUMP`, 17.
    DoDump,
    /// Treat the pages as broken memory; for testing kernels. `MADV_HWPOISON`, 100.
    HwPoison,
    /// Take the pages out of service; for testing kernels. `MADV_SOFT_OFFLINE`, 101.
    SoftOffline,
    /// FreeBSD `MADV_NOSYNC`, 6: write pages back only when necessary.
    NoSync,
    /// FreeBSD `MADV_AUTOSYNC`, 7: undo [`NoSync`](Self::NoSync).
    AutoSync,
    /// FreeBSD `MADV_NOCORE`, 8: leave the pages out of a core dump.
    NoCore,
    /// FreeBSD `MADV_CORE`, 9: undo [`NoCore`](Self::NoCore).
    Core,
    /// FreeBSD `MADV_PROTECT`, 10: do not kill this process when memory runs out.
    Protect,
    /// macOS `MADV_FREE_REUSABLE`, 7: the pages may be reused.
    FreeReusable,
    /// macOS `MADV_FREE_REUSE`, 8: undo [`FreeReusable`](Self::FreeReusable).
    FreeReuse,
}

impl Advice {
    /// Returns whether the advice stays in force, so that the system keeps the range as a memory area of its own. Other
    /// advice takes effect once.
    ///
    /// # Example
    ///
    /// ```
    /// use wasi_mmap_core::Advice;
    ///
    /// assert!(Advice::DontFork.lasts());
    /// assert!(!Advice::WillNeed.lasts());
    /// ```
    pub fn lasts(self) -> bool {
        !matches!(self, Self::WillNeed | Self::DontNeed | Self::Free | Self::Remove)
    }
}
