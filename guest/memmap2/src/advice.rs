//! Advice about the use of a mapping.

/// The values of advice on WASI, which are those of Linux.
#[cfg(target_os = "wasi")]
mod libc {
    pub(super) const MADV_NORMAL: i32 = 0;
    pub(super) const MADV_RANDOM: i32 = 1;
    pub(super) const MADV_SEQUENTIAL: i32 = 2;
    pub(super) const MADV_WILLNEED: i32 = 3;
    pub(super) const MADV_DONTNEED: i32 = 4;
}

/// Advice that leaves the bytes of a mapping as they are. The values are those of `madvise(2)`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Advice {
    /// No special treatment: the default. `MADV_NORMAL`.
    Normal = libc::MADV_NORMAL,
    /// Expect reads in random order, for which read-ahead is useless. `MADV_RANDOM`.
    Random = libc::MADV_RANDOM,
    /// Expect reads in order: read ahead, and drop pages after they were read. `MADV_SEQUENTIAL`.
    Sequential = libc::MADV_SEQUENTIAL,
    /// Expect access soon: start reading. `MADV_WILLNEED`.
    WillNeed = libc::MADV_WILLNEED,
    /// Do not share the pages with a child process. Only on Linux. `MADV_DONTFORK`.
    #[cfg(target_os = "linux")]
    DontFork = libc::MADV_DONTFORK,
    /// Undo `DontFork`. Only on Linux. `MADV_DOFORK`.
    #[cfg(target_os = "linux")]
    DoFork = libc::MADV_DOFORK,
    /// Merge equal private pages. Only on Linux. `MADV_MERGEABLE`.
    #[cfg(target_os = "linux")]
    Mergeable = libc::MADV_MERGEABLE,
    /// Undo `Mergeable`, and separate the pages. Only on Linux. `MADV_UNMERGEABLE`.
    #[cfg(target_os = "linux")]
    Unmergeable = libc::MADV_UNMERGEABLE,
    /// Prefer huge pages. Only on Linux. `MADV_HUGEPAGE`.
    #[cfg(target_os = "linux")]
    HugePage = libc::MADV_HUGEPAGE,
    /// Avoid huge pages. Only on Linux. `MADV_NOHUGEPAGE`.
    #[cfg(target_os = "linux")]
    NoHugePage = libc::MADV_NOHUGEPAGE,
    /// Leave the pages out of a core dump. Only on Linux. `MADV_DONTDUMP`.
    #[cfg(target_os = "linux")]
    DontDump = libc::MADV_DONTDUMP,
    /// Undo `DontDump`. Only on Linux. `MADV_DODUMP`.
    #[cfg(target_os = "linux")]
    DoDump = libc::MADV_DODUMP,
    /// Treat the pages as damaged memory, for tests by a privileged process. Only on Linux. `MADV_HWPOISON`.
    #[cfg(target_os = "linux")]
    HwPoison = libc::MADV_HWPOISON,
    /// Make all pages ready for reading now, or return the error. Only on Linux, since 5.14. `MADV_POPULATE_READ`.
    #[cfg(target_os = "linux")]
    PopulateRead = libc::MADV_POPULATE_READ,
    /// Make all pages ready for writing now, or return the error. Only on Linux, since 5.14. `MADV_POPULATE_WRITE`.
    #[cfg(target_os = "linux")]
    PopulateWrite = libc::MADV_POPULATE_WRITE,
    /// Fill locked pages with zeros if they are unmapped while they are locked. Only on Apple's systems.
    /// `MADV_ZERO_WIRED_PAGES`.
    #[cfg(target_vendor = "apple")]
    ZeroWiredPages = libc::MADV_ZERO_WIRED_PAGES,
}

/// Advice that can change the bytes of a mapping. The values are those of `madvise(2)`.
///
/// For Rust, the bytes are written, at any time after the call. There must be no reference to them then, which only the
/// caller can know: the functions that take this advice are `unsafe`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum UncheckedAdvice {
    /// Expect no access soon: free the pages. On Linux and WASI, the next access reads the file again, and private
    /// changes, or memory without a file, are lost. `MADV_DONTNEED`.
    DontNeed = libc::MADV_DONTNEED,
    /// The contents of private pages without a file are no longer needed. Until they are written, they may become zeros
    /// at any time. Only on Linux and Apple's systems. `MADV_FREE`.
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    Free = libc::MADV_FREE,
    /// Free the pages and the space behind them in the file, which reads as zeros afterwards. Only on Linux.
    /// `MADV_REMOVE`.
    #[cfg(target_os = "linux")]
    Remove = libc::MADV_REMOVE,
    /// As `Free`, and the process counts as smaller at once. Only on Apple's systems. `MADV_FREE_REUSABLE`.
    #[cfg(target_vendor = "apple")]
    FreeReusable = libc::MADV_FREE_REUSABLE,
    /// Undo `FreeReusable`. Pages that were freed meanwhile are zeros. Only on Apple's systems. `MADV_FREE_REUSE`.
    #[cfg(target_vendor = "apple")]
    FreeReuse = libc::MADV_FREE_REUSE,
}

/// Returns whether the kernel knows an advice. For no bytes at all, it does nothing but tell.
#[cfg(target_os = "linux")]
fn is_known(advice: libc::c_int) -> bool {
    // SAFETY: the range is empty, so that no memory is affected, whether the call succeeds or fails.
    unsafe { libc::madvise(std::ptr::null_mut(), 0, advice) == 0 }
}

#[cfg(target_os = "linux")]
impl Advice {
    /// Returns whether the kernel that runs this program knows this advice. Only on Linux.
    pub fn is_supported(self) -> bool {
        is_known(self as libc::c_int)
    }
}

#[cfg(target_os = "linux")]
impl UncheckedAdvice {
    /// Returns whether the kernel that runs this program knows this advice. Only on Linux.
    pub fn is_supported(self) -> bool {
        is_known(self as libc::c_int)
    }
}
