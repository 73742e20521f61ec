"""Construction of a mapping from the constructor's arguments."""

import errno
import os
import stat

from . import constants, files
from .arguments import LARGEST
from .bindings import mapping, types
from .constants import ACCESS_COPY, ACCESS_READ
from .errors import os_error


def open_mapping(fileno, length, flags, access, offset, tagname):
    """Return the interface's mapping for the arguments."""
    wish = types.Access.WRITE
    if access == ACCESS_READ:
        wish = types.Access.READ
    elif access == ACCESS_COPY:
        wish = types.Access.COPY
    wishes = constants.chosen(constants.FLAGS, flags, types.MapFlags(0))
    options = types.MapOptions(offset, length, wish, wishes)
    if fileno == -1:
        if tagname is not None:
            tagname.encode()  # raises for lone surrogates, which the interface does not support
            return mapping.Mapping.named(tagname, options)
        return _of_memory(options, flags)
    status = os.fstat(fileno)
    if not stat.S_ISREG(status.st_mode):
        raise os_error(errno.ENODEV if length else errno.EINVAL, "only regular files can be mapped")
    if not length and status.st_size - offset > LARGEST:
        raise ValueError("mmap length is too large")
    if flags & constants.MAP_ANONYMOUS:
        # Only the length of the file is used.
        options = types.MapOptions(offset, length, types.Access.READ, types.MapFlags(0))
        measured = mapping.Mapping.from_descriptor(files.descriptor_of(fileno, status), options)
        options = types.MapOptions(offset, measured.length(), wish, wishes)
        return _of_memory(options, flags)
    _check(flags)
    return mapping.Mapping.from_descriptor(files.descriptor_of(fileno, status), options)


def _of_memory(options, flags):
    _check(flags)
    return mapping.Mapping.anonymous(options)


def _check(flags):
    """Refuse flags that are neither shared nor private, or that choose an address."""
    if not flags & (constants.MAP_SHARED | constants.MAP_PRIVATE) or flags & constants.MAP_FIXED:
        raise os_error(errno.EINVAL)
