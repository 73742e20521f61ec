"""Memory-mapped files: CPython's module `mmap` for plugins under WASI, over the interface `wasi-mmap:mmap`.

The interface implements the operations. This module translates them to Python: it checks arguments like CPython, in the
same order, and raises the same exceptions with the same messages. Where versions of CPython differ, it follows 3.15.
"""

import errno
import sys

from wasi_mmap import constants, refusals
from wasi_mmap.arguments import LARGEST, SMALLEST, is_index, to_bytes, to_index, to_int, to_integer, to_slice, to_ssize
from wasi_mmap.bindings import Err, being_built, mapping, types
from wasi_mmap.constants import *
from wasi_mmap.constants import (
    ACCESS_COPY,
    ACCESS_DEFAULT,
    ACCESS_READ,
    ACCESS_WRITE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)
from wasi_mmap.errors import CLOSED, READ_ONLY, exception, os_error
from wasi_mmap.opening import open_mapping
from wasi_mmap.views import Viewed

__all__ = [*constants.__all__, "ALLOCATIONGRANULARITY", "PAGESIZE", "error", "mmap"]

error = OSError


def __getattr__(name):
    if name == "PAGESIZE":
        value = mapping.page_size
    elif name == "ALLOCATIONGRANULARITY":
        value = mapping.granularity
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # While componentize-py builds a plugin, the host cannot be called. A page of wasm memory is a multiple of every
    # system's page.
    if being_built():
        return 0x10000
    globals()[name] = value()
    return globals()[name]


class _Closed:
    """The mapping of a closed object. It refuses each operation."""

    __slots__ = ()

    def __getattr__(self, name):
        raise ValueError(CLOSED)


_CLOSED = _Closed()

# The open mappings. The bindings drop a handle when its mapping becomes garbage. In a cycle, that is before finalizers
# that may still use the handle, and using a dropped handle traps. This set keeps the mappings alive until their objects
# drop them.
_open = set()


def _drop(current):
    _open.discard(current)
    current.__exit__(None, None, None)


class mmap:
    """A sequence of bytes with a cursor, over a file or over anonymous memory.

    mmap(fileno, length, flags=MAP_SHARED, prot=PROT_WRITE|PROT_READ, access=ACCESS_DEFAULT, offset=0, *, trackfd=True)

    Maps `length` bytes of the file with this descriptor number, starting at `offset`. A length of 0 maps to the end of
    the file. To map anonymous memory, pass -1 as the fileno. Mappings with the same `tagname` share their memory.
    """

    __slots__ = ("_mapping", "_access", "_offset", "_anonymous", "_trackfd", "__weakref__")

    def __new__(
        cls, fileno, length, flags=MAP_SHARED, prot=PROT_WRITE | PROT_READ, access=ACCESS_DEFAULT, offset=0,
        *, trackfd=True, tagname=None,
    ):  # fmt: skip
        fileno, length, flags, prot, access = (
            to_int(fileno),
            to_ssize(length),
            to_int(flags),
            to_int(prot),
            to_int(access),
        )
        offset = to_integer(offset, -(1 << 63), (1 << 63) - 1, *["int too big to convert"] * 2)
        trackfd = bool(trackfd)
        if tagname is not None and not isinstance(tagname, str):
            raise TypeError(f"expected str or None for 'tagname', not {type(tagname).__name__}")
        if length < 0:
            raise OverflowError("memory mapped length must be positive")
        if offset < 0:
            raise OverflowError("memory mapped offset must be positive")
        both = PROT_READ | PROT_WRITE
        if access != ACCESS_DEFAULT and (flags != MAP_SHARED or prot != both):
            raise ValueError("mmap can't specify both access and flags, prot.")
        if access == ACCESS_DEFAULT and prot & both != both:
            access = ACCESS_WRITE if prot & PROT_WRITE else ACCESS_READ
        if access not in (ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY):
            raise ValueError("mmap invalid access parameter.")
        sys.audit("mmap.__new__", fileno, length, access, offset)
        self = object.__new__(cls)
        self._access = access
        self._offset = offset
        self._trackfd = trackfd
        self._anonymous = fileno == -1 or bool(flags & constants.MAP_ANONYMOUS)
        try:
            self._mapping = open_mapping(fileno, length, flags, access, offset, tagname)
            _open.add(self._mapping)
            return self
        except Err as refusal:
            refused = refusal.value
        # Raised outside the `except` block, so that the interface's error is not its context. Each method does so.
        raise exception(refused, refusals.NEW)

    # Closing

    def close(self, /):
        """Close the mapping. Raises BufferError while views of it exist."""
        current = self._mapping
        if current is _CLOSED:
            return
        if type(current) is Viewed:
            raise BufferError("cannot close exported pointers exist")
        try:
            current.close()
            self._mapping = _CLOSED
            return _drop(current)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def __del__(self, /):
        current = getattr(self, "_mapping", _CLOSED)
        self._mapping = _CLOSED
        if type(current) is Viewed:
            # The views are garbage too, and were not released: this is the last chance to write their changes.
            current, views = current.mapping, current
            views.settle()
        if current is not _CLOSED:
            _drop(current)

    @property
    def closed(self):
        """True if the mapping is closed."""
        return self._mapping is _CLOSED

    def __enter__(self, /):
        self._mapping.close  # raises if closed
        return self

    def __exit__(self, exc_type, exc_value, traceback, /):
        mmap.close(self)

    # The cursor

    def tell(self, /):
        """Return the position of the cursor."""
        try:
            return self._mapping.tell()
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def seek(self, pos, whence=0, /):
        """Move the cursor, and return its new position."""
        pos, whence = to_ssize(pos), to_int(whence)
        seek = self._mapping.seek
        if not 0 <= whence <= 2:
            raise ValueError("unknown seek type")
        try:
            return seek(pos, constants.WHENCE[whence])
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.SEEK)

    def seekable(self, /):
        """Return True."""
        return True

    def read(self, n=None, /):
        """Read up to `n` bytes at the cursor, or all bytes if `n` is None or negative, and move past them."""
        if n is not None:
            if not is_index(n):
                raise TypeError(f"argument should be integer or None, not '{type(n).__name__}'")
            n = to_index(n, OverflowError)
            if n < 0:
                n = None
        try:
            return self._mapping.read(n)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def read_byte(self, /):
        """Read the byte at the cursor as an integer, and move past it."""
        try:
            return self._mapping.read_byte()
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.READ_BYTE)

    def readline(self, /):
        """Read to the next newline, or to the end of the mapping."""
        try:
            return self._mapping.read_line()
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def write(self, bytes, /):
        """Write all of `bytes` at the cursor, move past them, and return their number."""
        content = to_bytes(bytes)
        try:
            return self._mapping.write(content)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.WRITE)

    def write_byte(self, byte, /):
        """Write one byte at the cursor, and move past it."""
        above, below = "unsigned byte integer is greater than maximum", "unsigned byte integer is less than minimum"
        byte = to_integer(byte, 0, 255, above, below)
        try:
            return self._mapping.write_byte(byte)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.WRITE_BYTE)

    # Searches and copies

    def find(self, view, start=None, end=None, /):
        """Return the index of the first `view` in [start:end], or -1. `start` defaults to the cursor."""
        return self._find("find", view, start, end)

    def rfind(self, view, start=None, end=None, /):
        """Return the index of the last `view` in [start:end], or -1. `start` defaults to the cursor."""
        return self._find("rfind", view, start, end)

    def _find(self, name, needle, start, end):
        needle = to_bytes(needle)
        getattr(self._mapping, name)  # raises if closed
        if start is None:
            end = None  # CPython ignores the end then, too
        else:
            start = to_ssize(start)
            if end is not None:
                end = to_ssize(end)
        try:
            found = getattr(self._mapping, name)(needle, start, end)
            return -1 if found is None else found
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def move(self, dest, src, count, /):
        """Copy `count` bytes from `src` to `dest`. The ranges may overlap."""
        dest, src, count = to_ssize(dest), to_ssize(src), to_ssize(count)
        move = self._mapping.copy_within
        if self._access == ACCESS_READ:
            raise TypeError(READ_ONLY)
        if dest < 0 or src < 0 or count < 0:
            raise ValueError("source, destination, or count out of range")
        try:
            return move(dest, src, count)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.MOVE)

    # The file

    def size(self, /):
        """Return the length of the file, which may be longer than the mapping."""
        size = self._mapping.size
        if not self._trackfd:
            raise ValueError("can't get size with trackfd=False")
        try:
            return size()
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def resize(self, newsize, /):
        """Resize the mapping and its file."""
        newsize = to_ssize(newsize)
        resize = self._mapping.resize
        if type(self._mapping) is Viewed:
            raise BufferError("mmap can't resize with extant buffers exported.")
        if not self._trackfd:
            raise ValueError("mmap can't resize with trackfd=False.")
        if self._access in (ACCESS_READ, ACCESS_COPY):
            raise TypeError("mmap can't resize a readonly or copy-on-write memory map.")
        if newsize < 0:
            raise ValueError("new size out of range")
        try:
            return resize(newsize)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.RESIZE)

    def flush(self, offset=0, size=-1, /, *, flags=0):
        """Write changes back to the file. A `size` of -1 means to the end of the mapping."""
        offset, size, flags = to_ssize(offset), to_ssize(size), to_int(flags)
        flush = self._mapping.flush
        if offset < 0 or size < -1:
            raise ValueError("flush values out of range")
        chosen = constants.chosen(constants.FLUSH, flags, types.FlushFlags(0))
        if flags & ~(constants.MS_ASYNC | constants.MS_INVALIDATE | constants.MS_SYNC):
            # Unknown flags are refused like flags that exclude each other.
            chosen = types.FlushFlags.ASYNCHRONOUS | types.FlushFlags.SYNCHRONOUS
        try:
            return flush(offset, None if size == -1 else size, chosen)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.FLUSH)

    def madvise(self, option, start=0, length=None, /):
        """Advise how a range will be used. `length` defaults to the end of the mapping."""
        option, start = to_int(option), to_ssize(start)
        self._mapping.advise  # raises if closed
        if length is not None:
            length = to_ssize(length)
        if not 0 <= start < len(self):
            raise ValueError("madvise start out of bounds")
        if length is not None and length < 0:
            raise ValueError("madvise length invalid")
        if length is not None and length > LARGEST - start:
            raise OverflowError("madvise length too large")
        if option in constants.FORBIDDEN_ADVICE:
            raise os_error(errno.EACCES, f"the advice {option}")
        if option not in constants.ADVICE:
            raise os_error(errno.EINVAL)
        try:
            return self._mapping.advise(constants.ADVICE[option], start, length)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.MADVISE)

    def set_name(self, name, /):
        """Check the arguments, and do nothing: no debugger sees a plugin's memory."""
        if not isinstance(name, str):
            raise TypeError(f"set_name() argument must be str, not {type(name).__name__}")
        if "\0" in name:
            raise ValueError("embedded null character")
        if len(name.encode()) > 66:
            raise ValueError("name is too long")
        if not self._anonymous:
            raise ValueError("Cannot set annotation on non-anonymous mappings")

    # The sequence

    def __len__(self, /):
        try:
            return self._mapping.length()
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def __getitem__(self, key, /):
        current = self._mapping
        try:
            if type(key) is int and SMALLEST <= key <= LARGEST:
                return current.get(key)
            if type(key) is slice:
                found = _inside(current, key)
                if found is not None:
                    return found
                chosen = to_slice(key)
                return self._mapping.read_slice(chosen)
            current.get  # raises if closed
            if not is_index(key):
                raise TypeError("mmap indices must be integers")
            index = to_index(key, IndexError)
            return self._mapping.get(index)
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.INDEX)

    def __setitem__(self, key, value, /):
        if self._access == ACCESS_READ:
            raise TypeError(READ_ONLY)
        try:
            if is_index(key):
                index = to_index(key, IndexError)
                if not is_index(value):
                    raise TypeError("mmap item value must be an int")
                value = to_index(value, TypeError)
                if not 0 <= value <= 255:
                    raise ValueError("mmap item value must be in range(0, 256)")
                return self._mapping.set(index, value)
            if isinstance(key, slice):
                chosen = to_slice(key)
                content = to_bytes(value)
                return self._mapping.write_slice(chosen, content)
            raise TypeError("mmap indices must be integer")
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.SIZE if isinstance(key, slice) else refusals.INDEX)

    def __delitem__(self, key, /):
        if self._access == ACCESS_READ:
            raise TypeError(READ_ONLY)
        if is_index(key):
            to_index(key, IndexError)
            raise TypeError("mmap doesn't support item deletion")
        if isinstance(key, slice):
            to_slice(key)
            raise TypeError("mmap object doesn't support slice deletion")
        raise TypeError("mmap indices must be integer")

    # Indexing returns integers, but iteration returns bytes of length 1. CPython has separate slots for these.

    def __iter__(self, /):
        return iter(_Items(self))

    def __reversed__(self, /):
        return reversed(_Items(self))

    def __contains__(self, value, /):
        return value in _Items(self)

    # The object

    def __buffer__(self, flags, /):
        current = self._mapping
        writable = self._access != ACCESS_READ
        current.read_at  # raises if closed
        if flags & 1 and not writable:
            raise BufferError("Object is not writable.")
        try:
            if type(current) is not Viewed:
                current = Viewed(current)
            view = current.view(flags, writable)
            self._mapping = current
            return view
        except Err as refusal:
            refused = refusal.value
        raise exception(refused, refusals.ANY)

    def __release_buffer__(self, view, /):
        view.release()
        current = getattr(self, "_mapping", _CLOSED)
        if type(current) is not Viewed:
            return  # the view became garbage together with its object
        try:
            return current.release()
        except Err as refusal:
            refused = refusal.value
        finally:
            if current.count == 0:
                self._mapping = current.mapping
        raise exception(refused, refusals.ANY)

    def __repr__(self, /):
        kind = "mmap.mmap" if type(self) is mmap else type(self).__name__
        if self.closed:
            return f"<{kind} closed=True>"
        access = ("ACCESS_DEFAULT", "ACCESS_READ", "ACCESS_WRITE", "ACCESS_COPY")[self._access]
        return (
            f"<{kind} closed=False, access={access}, length={mmap.__len__(self)}, pos={mmap.tell(self)}, "
            f"offset={self._offset}>"
        )

    def __reduce_ex__(self, protocol, /):
        name = type(self).__name__
        if type(self) is mmap and protocol >= 2:
            name = "mmap.mmap"
        raise TypeError(f"cannot pickle '{name}' object")


def _inside(current, key):
    """Read a slice by a cheaper call, if it needs none of the rules for slices; otherwise return None."""
    start, stop = key.start, key.stop
    if start is None:
        start = 0
    read = current.read_at  # raises if closed
    if key.step is None and type(start) is type(stop) is int and 0 <= start <= stop <= LARGEST:
        try:
            return read(start, stop - start)
        except Err as refusal:
            if not isinstance(refusal.value, types.Error_OutOfRange):
                raise
    return None


class _Items:
    """The single bytes of a mapping, as C's sequence protocol returns them."""

    __slots__ = ("_of",)

    def __init__(self, of):
        self._of = of

    def __len__(self):
        return len(self._of)

    def __getitem__(self, index):
        return bytes((self._of[index],))
