//! How a caller says that it will use a range.

/// How a range will be used: POSIX `posix_madvise(3)`, Linux `madvise(2)`, Python `mmap.madvise` with `MADV_*`.
///
/// Each name is listed with its number on Linux, or on the one system that has it. Advice that a system does not know, or that its
/// backend does not pass on, answers `unsupported`: `wasi-mmap-native` passes on what Linux has, and elsewhere what POSIX has.
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
    /// Free the pages and the space behind them; they read as zeros afterwards. `MADV_REMOVE`, 9.
    Remove,
    /// Do not give the pages to a child process. `MADV_DONTFORK`, 10.
    DontFork,
    /// Undo `DontFork`. `MADV_DOFORK`, 11.
    DoFork,
    /// Merge equal pages. `MADV_MERGEABLE`, 12.
    Mergeable,
    /// Undo `Mergeable`. `MADV_UNMERGEABLE`, 13.
    Unmergeable,
    /// Prefer huge pages. `MADV_HUGEPAGE`, 14.
    HugePage,
    /// Avoid huge pages. `MADV_NOHUGEPAGE`, 15.
    NoHugePage,
    /// Leave the pages out of a core dump. `MADV_DONTDUMP`, 16.
    DontDump,
    /// Undo `DontDump`. `MADV_DODUMP`, 17.
    DoDump,
    /// Treat the pages as broken memory; for testing kernels. `MADV_HWPOISON`, 100.
    HwPoison,
    /// Take the pages out of service; for testing kernels. `MADV_SOFT_OFFLINE`, 101.
    SoftOffline,
    /// FreeBSD `MADV_NOSYNC`, 6: write pages back only when it must be.
    NoSync,
    /// FreeBSD `MADV_AUTOSYNC`, 7: undo `NoSync`.
    AutoSync,
    /// FreeBSD `MADV_NOCORE`, 8: leave the pages out of a core dump.
    NoCore,
    /// FreeBSD `MADV_CORE`, 9: undo `NoCore`.
    Core,
    /// FreeBSD `MADV_PROTECT`, 10: never kill this process for want of memory.
    Protect,
    /// macOS `MADV_FREE_REUSABLE`, 7: the pages may be reused.
    FreeReusable,
    /// macOS `MADV_FREE_REUSE`, 8: undo `FreeReusable`.
    FreeReuse,
}

impl Advice {
    /// Returns whether the advice lasts, so that a part of a mapping that is given it becomes an area of memory of its own. Other
    /// advice is for the moment.
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
