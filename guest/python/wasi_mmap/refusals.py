"""The exceptions of each operation for errors for which operations differ. See `errors.exception`."""

import errno

INDEX = {"OutOfRange": (IndexError, "mmap index out of range")}
SIZE = {("Invalid", "bytes"): (IndexError, "mmap slice assignment is wrong size")}
READ_BYTE = {"OutOfRange": (ValueError, "read byte out of range")}
WRITE_BYTE = {"OutOfRange": (ValueError, "write byte out of range")}
WRITE = {"OutOfRange": (ValueError, "data out of range")}
SEEK = {"OutOfRange": (ValueError, "seek out of range")}
MOVE = {"OutOfRange": (ValueError, "source, destination, or count out of range")}
FLUSH = {"OutOfRange": (ValueError, "flush values out of range")}
MADVISE = {
    ("OutOfRange", "start"): (ValueError, "madvise start out of bounds"),
    ("OutOfRange", "length"): (OverflowError, "madvise length too large"),
    "Unsupported": errno.EINVAL,
}
RESIZE = {
    "OutOfRange": (ValueError, "new size out of range"),
    "NotPermitted": errno.EINVAL,
    "OutOfMemory": errno.ENOMEM,
}
NEW = {
    "EmptyFile": (ValueError, "cannot mmap an empty file"),
    ("BeyondEndOfFile", "offset"): (ValueError, "mmap offset is greater than file size"),
    ("BeyondEndOfFile", "length"): (ValueError, "mmap length is greater than file size"),
    "Unsupported": errno.ENODEV,
    "OutOfMemory": errno.ENOMEM,
}
ANY = {}
