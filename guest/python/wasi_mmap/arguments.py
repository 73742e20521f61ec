"""Conversion of arguments as in CPython's C code: the same types, ranges and messages."""

import operator
import sys

from .bindings import types

# The range of C's `Py_ssize_t` in this Python.
LARGEST = sys.maxsize
SMALLEST = -sys.maxsize - 1


def to_integer(value, smallest, largest, above, below):
    """Convert to an integer from `smallest` to `largest`; `above` and `below` are the messages for others."""
    value = operator.index(value)
    if value > largest:
        raise OverflowError(above)
    if value < smallest:
        raise OverflowError(below)
    return value


def to_ssize(value):
    """Convert to C's `Py_ssize_t`."""
    return to_integer(value, SMALLEST, LARGEST, *["Python int too large to convert to C ssize_t"] * 2)


def to_int(value):
    """Convert to C's `int`."""
    above, below = "signed integer is greater than maximum", "signed integer is less than minimum"
    return to_integer(value, -(1 << 31), (1 << 31) - 1, above, below)


def is_index(value):
    """Return True if the value can be converted to an index: C's `PyIndex_Check`."""
    return hasattr(type(value), "__index__")


def to_index(value, kind):
    """Convert to an index as C's `PyNumber_AsSsize_t` does. Raises `kind` if it is too large."""
    value = operator.index(value)
    if SMALLEST <= value <= LARGEST:
        return value
    raise kind("cannot fit 'int' into an index-sized integer")


def _bound(value):
    """Convert a bound of a slice, clamped to the range of an index."""
    if value is None:
        return None
    if not is_index(value):
        raise TypeError("slice indices must be integers or have an __index__ method")
    return max(SMALLEST, min(operator.index(value), LARGEST))


def to_slice(key):
    """Convert a slice to the type of the bindings."""
    step = 1 if key.step is None else _bound(key.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    return types.Slice(_bound(key.start), _bound(key.stop), step)


def to_bytes(value):
    """Return the bytes of a contiguous buffer."""
    if type(value) is bytes:
        return value
    if not hasattr(type(value), "__buffer__"):
        raise TypeError(f"a bytes-like object is required, not '{type(value).__name__}'")
    with memoryview(value) as view:
        if not view.c_contiguous:
            raise BufferError("memoryview: underlying buffer is not C-contiguous")
        return view.tobytes()
