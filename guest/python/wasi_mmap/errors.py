"""Errors of the interface as the exceptions that CPython's `mmap` raises."""

import errno
import os

from .bindings import types

CLOSED = "mmap closed or invalid"
READ_ONLY = "mmap can't modify a readonly memory map."

# The names of Linux's error numbers that a mapping can report. WASI's numbers differ.
_LINUX = {
    1: "EPERM",
    2: "ENOENT",
    4: "EINTR",
    5: "EIO",
    9: "EBADF",
    11: "EAGAIN",
    12: "ENOMEM",
    13: "EACCES",
    14: "EFAULT",
    16: "EBUSY",
    19: "ENODEV",
    22: "EINVAL",
    23: "ENFILE",
    24: "EMFILE",
    26: "ETXTBSY",
    27: "EFBIG",
    28: "ENOSPC",
    30: "EROFS",
    95: "ENOTSUP",
    116: "ESTALE",
    122: "EDQUOT",
}


def os_error(number, reason=None):
    """Return the `OSError` for an error number of this Python, with the system's message and a reason."""
    text = os.strerror(number)
    return OSError(number, f"{text}: {reason}" if reason else text)


def exception(error, refused):
    """Return the exception for an error of the interface.

    `refused` maps errors for which operations differ to what this operation raises. A key is a case of the error, or a
    pair of the case and the name of the refused argument. A value is a pair of type and message, or an error number.
    """
    case = type(error).__name__.removeprefix("Error_")
    detail = getattr(error, "value", None)
    if isinstance(detail, types.Argument):
        chosen = refused.get((case, detail.name), refused.get(case))
        reason = f"{detail.name}: {detail.reason}"
    else:
        chosen = refused.get(case)
        reason = detail
    if isinstance(chosen, int):
        return os_error(chosen, reason)
    if chosen:
        kind, message = chosen
        return kind(message)
    match case:
        case "Closed":
            return ValueError(CLOSED)
        case "ReadOnly":
            return TypeError(READ_ONLY)
        case "OutOfRange":
            return ValueError(reason)
        case "Io":
            return _of_system(detail)
        case "OutOfMemory":
            return MemoryError()
        case "Truncated":
            return os_error(errno.EIO, "the file was truncated under the mapping")
        case _:
            return os_error(_NUMBERS[case], reason)


_NUMBERS = {
    "Invalid": errno.EINVAL,
    "EmptyFile": errno.EINVAL,
    "BeyondEndOfFile": errno.EINVAL,
    "NotPermitted": errno.EACCES,
    "Busy": errno.EBUSY,
    "LimitExceeded": errno.ENOMEM,
    "Unsupported": errno.ENOTSUP,
    "NoSpace": errno.ENOSPC,
}


def _of_system(error):
    number = errno.EIO
    if error.system is types.System.WASI:
        number = error.code
    elif error.system is types.System.LINUX:
        number = getattr(errno, _LINUX.get(error.code, "EIO"), errno.EIO)
    return OSError(number, error.message)
