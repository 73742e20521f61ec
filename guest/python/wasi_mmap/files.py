"""Descriptors for the numbers of open files.

In WASI, a program cannot get the descriptor behind a number. But it opened the file by a path. This module finds the
path where Python keeps it, opens it again, and checks that it still leads to the same file.
"""

import errno
import functools
import gc
import io
import os

from .bindings import Err, filesystem, preopens
from .errors import os_error

# The path and the flags for each number that `os.open` returned. A number that was closed and reused is detected by
# comparing the files.
_opened = {}


def _remember(original):
    @functools.wraps(original)
    def remembering(path, flags, mode=0o777, *, dir_fd=None):
        number = original(path, flags, mode, dir_fd=dir_fd)
        if dir_fd is None:
            _opened[number] = (_absolute(path), flags)
        else:
            _opened.pop(number, None)
        return number

    if original in os.supports_dir_fd:
        os.supports_dir_fd.add(remembering)
    return remembering


def _absolute(path):
    return os.path.join(os.getcwd(), os.fsdecode(path))


def _known_paths(number):
    """Yield each path by which the file may have been opened, and whether for reading and for writing."""
    if number in _opened:
        path, flags = _opened[number]
        mode = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
        yield path, mode != os.O_WRONLY, mode != os.O_RDONLY
    for file in gc.get_objects():
        # `isinstance` would ask the object, and a proxy may claim to be anything.
        if not issubclass(type(file), io.FileIO):
            continue
        if not file.closed and io.FileIO.fileno(file) == number and not isinstance(file.name, int):
            yield _absolute(file.name), file.readable(), file.writable()


def descriptor_of(number, status):
    """Return a new descriptor of the file with this number, with the same rights. `status` is its `os.fstat`.

    Raises `OSError` if no path is known, or none leads to the file any more.
    """
    reason = "it was not opened by a path that this Python knows"
    for path, readable, writable in _known_paths(number):
        try:
            descriptor = _open(path, readable, writable)
        except OSError as error:
            reason = f"{path} cannot be opened again: {os.strerror(error.errno)}"
            continue
        # WASI's inode number is the first half of this hash.
        if descriptor.metadata_hash().lower == status.st_ino:
            return descriptor
        descriptor.__exit__(None, None, None)
        reason = f"{path} is another file now"
    raise os_error(errno.ENOTSUP, f"no path leads to the file of descriptor {number}: {reason}")


def _open(path, readable, writable):
    """Open a file through the preopened directories."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raise os_error(errno.EILSEQ) from None  # paths are UTF-8 in WASI
    names = _names(path)
    best = max(
        (given for given in _directories() if names[: len(given[1])] == given[1]),
        key=lambda given: len(given[1]),
        default=None,
    )
    if best is None:
        raise os_error(errno.ENOENT)
    directory, prefix = best
    flags = filesystem.DescriptorFlags(0)
    if readable:
        flags |= filesystem.DescriptorFlags.READ
    if writable:
        flags |= filesystem.DescriptorFlags.WRITE
    follow, nothing = filesystem.PathFlags.SYMLINK_FOLLOW, filesystem.OpenFlags(0)
    try:
        return directory.open_at(follow, "/".join(names[len(prefix) :]), nothing, flags)
    except Err as error:
        refused = error.value
    raise os_error(_NUMBERS.get(refused.name, errno.EIO))


_NUMBERS = {
    "ACCESS": errno.EACCES,
    "NOT_PERMITTED": errno.EPERM,
    "READ_ONLY": errno.EROFS,
    "NO_ENTRY": errno.ENOENT,
    "INSUFFICIENT_MEMORY": errno.ENOMEM,
}


@functools.cache
def _directories():
    """Return the preopened directories: the descriptor and the components of the path of each."""
    return [(directory, _names(path)) for directory, path in preopens.get_directories()]


def _names(path):
    """Split a path into components. `..` is kept, because its meaning depends on links."""
    return [name for name in path.split("/") if name not in ("", ".")]


os.open = _remember(os.open)
