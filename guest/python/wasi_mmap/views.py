"""Views: the buffer protocol for a mapping whose bytes are outside the plugin's memory.

A view is a copy, made when it is requested. While views exist, `Viewed` replaces the object's mapping, and the object's
operations and its views see each other's changes. The object sees what others write to the file at once, and the next
view sees it too. Changes through a view are written back by the next operation of the object and when the view is
released. Only the changed bytes are written, so that a view never restores what others have overwritten.
"""

import re

from .bindings import types

# The flags of PEP 688 for a buffer that must be writable, and for one whose consumer asks if it is.
_WRITABLE = 0x1
_FULL_RO = 0x11C

_BLOCK = 4096
_CHANGED = re.compile(rb"[^\0]+")


class Viewed:
    """A mapping with views, with the operations of a mapping that the object uses."""

    __slots__ = ("mapping", "count", "_bytes", "_written")

    def __init__(self, mapping):
        self.mapping = mapping
        self.count = 0
        #: The bytes of the views.
        self._bytes = bytearray(mapping.read_at(0, mapping.length()))
        #: The same bytes without changes through views; `None` while no view is writable.
        self._written = None

    def view(self, flags, writable):
        """Return a new view for the flags of PEP 688."""
        if self.count:
            self._renew()
        if writable and (flags & _WRITABLE or flags & _FULL_RO):
            if self._written is None:
                self._written = bytearray(self._bytes)
            view = memoryview(self._bytes)
        else:
            view = memoryview(self._bytes).toreadonly()
        self.count += 1
        return view

    def release(self):
        """Release a view, and write back what was changed through views."""
        self.count -= 1
        self.settle()

    def settle(self):
        """Write the bytes that were changed through views to the mapping."""
        if self._written is None or self._bytes == self._written:
            return
        for start in range(0, len(self._bytes), _BLOCK):
            ours, before = self._bytes[start : start + _BLOCK], self._written[start : start + _BLOCK]
            if ours == before:
                continue
            difference = int.from_bytes(ours, "little") ^ int.from_bytes(before, "little")
            for run in _CHANGED.finditer(difference.to_bytes(len(ours), "little")):
                changed = bytes(ours[run.start() : run.end()])
                self.mapping.write_at(start + run.start(), changed)
                self._written[start + run.start() : start + run.end()] = changed

    def _renew(self):
        """Update the views to the contents of the mapping."""
        self.settle()
        self._mirror(slice(None), self.mapping.read_at(0, len(self._bytes)))

    def _mirror(self, where, content):
        self._bytes[where] = content
        if self._written is not None:
            self._written[where] = content

    # Operations that change bytes also change the views.

    def set(self, index, value):
        self.settle()
        self.mapping.set(index, value)
        self._mirror(index, value)

    def write_slice(self, chosen, content):
        self.settle()
        self.mapping.write_slice(chosen, content)
        self._mirror(slice(chosen.start, chosen.stop, chosen.step), content)

    def write(self, content):
        self.settle()
        count = self.mapping.write(content)
        end = self.mapping.tell()
        self._mirror(slice(end - count, end), content)
        return count

    def write_byte(self, value):
        self.settle()
        self.mapping.write_byte(value)
        self._mirror(self.mapping.tell() - 1, value)

    def copy_within(self, destination, source, count):
        self.settle()
        self.mapping.copy_within(destination, source, count)
        self._mirror(slice(destination, destination + count), self._bytes[source : source + count])

    def advise(self, advice, start, length):
        self.settle()
        self.mapping.advise(advice, start, length)
        if advice in (types.Advice.DONT_NEED, types.Advice.FREE, types.Advice.REMOVE):
            self._renew()

    def __getattr__(self, name):
        # All other operations leave the bytes unchanged.
        operation = getattr(self.mapping, name)
        self.settle()
        return operation
