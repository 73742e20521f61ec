//! The numbers of `<sys/mman.h>`, which are those of Linux.

pub(crate) const PROT_READ: i32 = 1;
pub(crate) const PROT_WRITE: i32 = 2;
pub(crate) const PROT_EXEC: i32 = 4;

pub(crate) const MAP_SHARED: i32 = 1;
pub(crate) const MAP_PRIVATE: i32 = 2;
pub(crate) const MAP_SHARED_VALIDATE: i32 = 3;
pub(crate) const MAP_TYPE: i32 = 0xf;
pub(crate) const MAP_FIXED: i32 = 0x10;
pub(crate) const MAP_ANONYMOUS: i32 = 0x20;
pub(crate) const MAP_NORESERVE: i32 = 0x4000;
pub(crate) const MAP_POPULATE: i32 = 0x8000;
pub(crate) const MAP_FIXED_NOREPLACE: i32 = 0x10_0000;

/// The flags that `MAP_SHARED_VALIDATE` accepts: those that have a meaning here, and hints. Not `MAP_SYNC`.
pub(crate) const KNOWN_FLAGS: i32 = MAP_TYPE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_FIXED_NOREPLACE
    | MAP_GROWSDOWN
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | 0x3f << 26;
const MAP_GROWSDOWN: i32 = 0x100;
const MAP_DENYWRITE: i32 = 0x800;
const MAP_EXECUTABLE: i32 = 0x1000;
const MAP_LOCKED: i32 = 0x2000;
const MAP_NONBLOCK: i32 = 0x1_0000;
const MAP_STACK: i32 = 0x2_0000;
const MAP_HUGETLB: i32 = 0x4_0000;

pub(crate) const MS_ASYNC: i32 = 1;
pub(crate) const MS_INVALIDATE: i32 = 2;
pub(crate) const MS_SYNC: i32 = 4;

pub(crate) const MADV_NORMAL: i32 = 0;
pub(crate) const MADV_RANDOM: i32 = 1;
pub(crate) const MADV_SEQUENTIAL: i32 = 2;
pub(crate) const MADV_WILLNEED: i32 = 3;
pub(crate) const MADV_DONTNEED: i32 = 4;
pub(crate) const MADV_FREE: i32 = 8;
pub(crate) const MADV_REMOVE: i32 = 9;
/// The last of those that are hints, or that are for child processes, of which there are none: from `MADV_DONTFORK` to
/// `MADV_POPULATE_WRITE`.
pub(crate) const MADV_LAST: i32 = 23;

pub(crate) const MREMAP_MAYMOVE: i32 = 1;
pub(crate) const MREMAP_FIXED: i32 = 2;
