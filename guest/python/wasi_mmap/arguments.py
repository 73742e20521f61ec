"""Arguments as CPython's C code takes them: what it converts, in which range, and what it says when it cannot."""

import operator
import sys

from .bindings import types

# The range of C's `Py_ssize_t` in this Python.
LARGEST = sys.maxsize
SMALLEST = -sys.maxsize - 1


def to_integer(value, smallest, largest, above, below):
    """An integer from `smallest` to `largest`, and what is said of one that is above or below."""
    value = operator.index(value)
    if value > largest:
        raise OverflowError(above)
    if value < smallest:
        raise OverflowError(below)
    return value


def to_ssize(value):
    """C's `Py_ssize_t`."""
    return to_integer(value, SMALLEST, LARGEST, *["Python int too large to convert to C ssize_t"] * 2)


def to_int(value):
    """C's `int`."""
    above, below = "signed integer is greater than maximum", "signed integer is less than minimum"
    return to_integer(value, -(1 << 31), (1 << 31) - 1, above, below)


def is_index(value):
    """Whether an index can be made of it: C's `PyIndex_Check`."""
    return hasattr(type(value), "__index__")


def to_index(value, kind):
    """An integer as `PyNumber_AsSsize_t` takes it; `kind` is raised when it is too large."""
    value = operator.index(value)
    if SMALLEST <= value <= LARGEST:
        return value
    raise kind("cannot fit 'int' into an index-sized integer")


def _bound(value):
    """A bound of a slice: what is too large is moved to the edge of what an index can be."""
    if value is None:
        return None
    if not is_index(value):
        raise TypeError("slice indices must be integers or have an __index__ method")
    return max(SMALLEST, min(operator.index(value), LARGEST))


def to_slice(key):
    """A slice in the terms of the bindings."""
    step = 1 if key.step is None else _bound(key.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    return types.Slice(_bound(key.start), _bound(key.stop), step)


def to_bytes(value):
    """The bytes of any contiguous buffer."""
    if type(value) is bytes:
        return value
    if not hasattr(type(value), "__buffer__"):
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'")
    with memoryview(value) as view:
        if not view.c_contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        return view.tobytes()
