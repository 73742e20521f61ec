"""The constants of the module `mmap`: the names and values of Linux."""

from .bindings import types

ACCESS_DEFAULT = 0
ACCESS_READ = 1
ACCESS_WRITE = 2
ACCESS_COPY = 3

PROT_READ = 1
PROT_WRITE = 2
PROT_EXEC = 4

MAP_SHARED = 0x1
MAP_PRIVATE = 0x2
MAP_ANON = 0x20
MAP_ANONYMOUS = 0x20
MAP_32BIT = 0x40
MAP_DENYWRITE = 0x800
MAP_EXECUTABLE = 0x1000
MAP_NORESERVE = 0x4000
MAP_POPULATE = 0x8000
MAP_STACK = 0x20000

MS_ASYNC = 1
MS_INVALIDATE = 2
MS_SYNC = 4

MADV_NORMAL = 0
MADV_RANDOM = 1
MADV_SEQUENTIAL = 2
MADV_WILLNEED = 3
MADV_DONTNEED = 4
MADV_FREE = 8
MADV_REMOVE = 9
MADV_DONTFORK = 10
MADV_DOFORK = 11
MADV_MERGEABLE = 12
MADV_UNMERGEABLE = 13
MADV_HUGEPAGE = 14
MADV_NOHUGEPAGE = 15
MADV_DONTDUMP = 16
MADV_DODUMP = 17
MADV_HWPOISON = 100
MADV_SOFT_OFFLINE = 101

__all__ = [name for name in globals() if name.startswith(("ACCESS_", "PROT_", "MAP_", "MS_", "MADV_"))]

# Internal: the values as types of the bindings.

#: Flags that Python has no names for, but passes on.
MAP_FIXED = 0x10
MAP_HUGETLB = 0x40000

FLAGS = {
    MAP_PRIVATE: types.MapFlags.PRIVATE,
    MAP_POPULATE: types.MapFlags.POPULATE,
    MAP_NORESERVE: types.MapFlags.NO_RESERVE,
    MAP_STACK: types.MapFlags.STACK,
    MAP_HUGETLB: types.MapFlags.HUGE_PAGES,
}

FLUSH = {
    MS_ASYNC: types.FlushFlags.ASYNCHRONOUS,
    MS_INVALIDATE: types.FlushFlags.INVALIDATE,
    MS_SYNC: types.FlushFlags.SYNCHRONOUS,
}

ADVICE = {
    MADV_NORMAL: types.Advice.NORMAL,
    MADV_RANDOM: types.Advice.RANDOM,
    MADV_SEQUENTIAL: types.Advice.SEQUENTIAL,
    MADV_WILLNEED: types.Advice.WILL_NEED,
    MADV_DONTNEED: types.Advice.DONT_NEED,
    MADV_FREE: types.Advice.FREE,
    MADV_REMOVE: types.Advice.REMOVE,
    MADV_DONTFORK: types.Advice.DONT_FORK,
    MADV_DOFORK: types.Advice.DO_FORK,
    MADV_MERGEABLE: types.Advice.MERGEABLE,
    MADV_UNMERGEABLE: types.Advice.UNMERGEABLE,
    MADV_HUGEPAGE: types.Advice.HUGE_PAGE,
    MADV_NOHUGEPAGE: types.Advice.NO_HUGE_PAGE,
    MADV_DONTDUMP: types.Advice.DONT_DUMP,
    MADV_DODUMP: types.Advice.DO_DUMP,
}

#: Advice that would harm the host: no plugin is allowed to give it.
FORBIDDEN_ADVICE = (MADV_HWPOISON, MADV_SOFT_OFFLINE)

WHENCE = (types.Whence.START, types.Whence.CURRENT, types.Whence.END)


def chosen(table, number, nothing):
    """Convert the bits of a number to flags of the bindings. Unknown bits are ignored."""
    for bit, flag in table.items():
        if number & bit:
            nothing |= flag
    return nothing
