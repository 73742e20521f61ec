"""Arguments and results of calls, and the order of their checks."""

import mmap
import operator
import sys
import unittest

CLOSED = "mmap closed or invalid"
READ_ONLY = "mmap can't modify a readonly memory map."


class Index:
    """An object that acts before it is converted to an integer."""

    def __init__(self, value, before=lambda: None):
        self.value = value
        self.before = before

    def __index__(self):
        self.before()
        return self.value


class Calls(unittest.TestCase):
    def raises(self, kind, message, call, *arguments, **named):
        with self.assertRaises(kind) as caught:
            call(*arguments, **named)
        self.assertIs(type(caught.exception), kind)
        if message is not None:
            self.assertEqual(str(caught.exception), message)

    def memory(self, content=b"0123456789", **options):
        mapping = mmap.mmap(-1, len(content))
        self.addCleanup(mapping.close)
        mapping[:] = content
        return mapping

    def read_only(self, length=10):
        mapping = mmap.mmap(-1, length, access=mmap.ACCESS_READ)
        self.addCleanup(mapping.close)
        return mapping


class Constructor(Calls):
    def test_order_of_checks(self):
        new = mmap.mmap
        self.raises(TypeError, None, new, "x", -1, offset=-1)
        self.raises(OverflowError, "memory mapped length must be positive", new, -1, -1, offset=-1, access=9)
        self.raises(OverflowError, "memory mapped offset must be positive", new, -1, 1, offset=-1, access=9)
        conflict = "mmap can't specify both access and flags, prot."
        self.raises(ValueError, conflict, new, -1, 1, mmap.MAP_PRIVATE, access=9)
        self.raises(ValueError, conflict, new, -1, 1, prot=mmap.PROT_READ, access=mmap.ACCESS_READ)
        self.raises(ValueError, "mmap invalid access parameter.", new, -1, 1, access=9)
        self.raises(ValueError, "mmap invalid access parameter.", new, -1, 1, access=-1)

    def test_ranges_of_integers(self):
        for position in range(5):
            arguments = [-1, 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, 0]
            arguments[position] = 1 << 70
            self.raises(OverflowError, None, mmap.mmap, *arguments)
        self.raises(OverflowError, None, mmap.mmap, -1, 1, offset=1 << 63)
        self.raises(OverflowError, None, mmap.mmap, -1, sys.maxsize + 1)
        for wrong in ("1", 1.0, None):
            self.raises(TypeError, None, mmap.mmap, -1, wrong)
            self.raises(TypeError, None, mmap.mmap, wrong, 1)
            self.raises(TypeError, None, mmap.mmap, -1, 1, offset=wrong)
        self.raises(TypeError, None, mmap.mmap, -1, 1, mmap.MAP_SHARED, 3, 0, 0, False)
        self.raises(TypeError, None, mmap.mmap, -1, 1, foo=1)
        with mmap.mmap(Index(-1), Index(7)) as mapping:
            self.assertEqual(len(mapping), 7)

    def test_memory_that_cannot_be(self):
        self.raises(OSError, None, mmap.mmap, -1, 0)
        self.raises(OSError, None, mmap.mmap, -1, 1, offset=1)
        self.raises(OSError, None, mmap.mmap, -1, 1, flags=0)

    def test_access_that_prot_means(self):
        for prot, access in (
            (0, "READ"),
            (1, "READ"),
            (2, "WRITE"),
            (3, "DEFAULT"),
            (4, "READ"),
            (5, "READ"),
            (7, "DEFAULT"),
        ):
            with mmap.mmap(-1, 1, prot=prot) as mapping:
                self.assertIn(f"access=ACCESS_{access},", repr(mapping))

    def test_audit(self):
        class Refused(Exception):
            pass

        seen = []

        def hook(event, arguments):
            if event == "mmap.__new__" and watching:
                seen.append(arguments)
                if arguments[1] == 13:
                    raise Refused

        watching = True
        sys.addaudithook(hook)
        try:
            mmap.mmap(-1, 5).close()
            mmap.mmap(-1, 6, access=mmap.ACCESS_COPY).close()
            mmap.mmap(-1, 7, prot=mmap.PROT_READ).close()
            self.raises(OSError, None, mmap.mmap, -1, 0)
            self.raises(OverflowError, None, mmap.mmap, -1, -1)
            self.raises(ValueError, None, mmap.mmap, -1, 1, access=7)
            self.raises(Refused, None, mmap.mmap, -1, 13)
        finally:
            watching = False
        self.assertEqual(seen, [(-1, 5, 0, 0), (-1, 6, 3, 0), (-1, 7, 1, 0), (-1, 0, 0, 0), (-1, 13, 0, 0)])


class Methods(Calls):
    def test_read(self):
        m = self.memory()
        self.raises(TypeError, "argument should be integer or None, not 'float'", m.read, 1.0)
        self.raises(OverflowError, None, m.read, sys.maxsize + 1)
        self.assertEqual([m.read(0), m.read(Index(2)), m.read(None), m.read(3)], [b"", b"01", b"23456789", b""])
        self.raises(ValueError, "read byte out of range", m.read_byte)
        self.assertEqual(m.tell(), 10)
        self.raises(TypeError, None, m.readline, 1)

    def test_write(self):
        m = self.memory()
        self.raises(TypeError, "a bytes-like object is required, not 'str'", m.write, "x")
        self.raises(TypeError, "a bytes-like object is required, not 'int'", m.write, 1)
        self.raises(BufferError, None, m.write, memoryview(b"abcd")[::2])
        self.raises(ValueError, "data out of range", m.write, bytes(11))
        self.assertEqual((m.tell(), m[:]), (0, b"0123456789"))
        self.assertEqual(m.write(bytearray(b"ab")) + m.write(memoryview(b"cd")), 4)
        self.assertEqual(m.write(m[:6]), 6)
        self.assertEqual((m.write(b""), m[:]), (0, b"abcdabcd45"))
        self.raises(ValueError, "write byte out of range", m.write_byte, 1)
        self.raises(OverflowError, "unsigned byte integer is greater than maximum", m.write_byte, 256)
        self.raises(OverflowError, "unsigned byte integer is less than minimum", m.write_byte, -1)
        self.raises(TypeError, None, m.write_byte, b"x")

    def test_seek(self):
        m = self.memory()
        self.raises(ValueError, "unknown seek type", m.seek, 0, 3)
        for arguments in ((-1,), (11,), (-11, 2), (1, 2), (sys.maxsize, 1)):
            self.raises(ValueError, "seek out of range", m.seek, *arguments)
        self.raises(OverflowError, None, m.seek, sys.maxsize + 1)
        self.raises(TypeError, None, m.seek, None)
        self.assertEqual([m.seek(4), m.seek(-2, 1), m.seek(-3, 2), m.tell()], [4, 2, 7, 7])

    def test_find(self):
        m = self.memory(b"one two one two")
        m.seek(1)
        self.assertEqual((m.find(b"one"), m.rfind(b"two"), m.find(b"one", 0)), (8, 12, 0))
        self.assertEqual(m.find(b"two", None, 1), 4, "the end is ignored without a start")
        self.assertEqual((m.find(b"two", 5, None), m.find(b"two", -3), m.find(b"two", 5, -1)), (12, 12, -1))
        self.assertEqual(
            (m.find(b"", 3), m.rfind(b"", 3), m.find(b"", 15), m.find(b"", 16), m.rfind(b"", 4, 3)), (3, 15, 15, -1, -1)
        )
        self.raises(TypeError, "a bytes-like object is required, not 'int'", m.find, 1)
        self.raises(OverflowError, None, m.find, b"", sys.maxsize + 1)
        self.raises(TypeError, None, m.find, b"", 1.0)

    def test_move(self):
        m = self.memory()
        for arguments in (
            (-1, 0, 1),
            (0, -1, 1),
            (0, 0, -1),
            (9, 0, 2),
            (0, 9, 2),
            (11, 0, 0),
            (sys.maxsize, sys.maxsize, 1),
        ):
            self.raises(ValueError, "source, destination, or count out of range", m.move, *arguments)
        m.move(2, 0, 5)
        m.move(10, 10, 0)
        self.assertEqual(m[:], b"0101234789")
        self.raises(TypeError, READ_ONLY, self.read_only().move, 0, 0, 0)
        self.raises(TypeError, READ_ONLY, self.read_only().move, -1, 0, 0)

    def test_flush(self):
        m = self.memory(bytes(3 * mmap.PAGESIZE))
        for arguments in ((-1,), (0, -2), (len(m) + 1,), (0, len(m) + 1), (mmap.PAGESIZE, len(m))):
            self.raises(ValueError, "flush values out of range", m.flush, *arguments)
        self.assertIsNone(m.flush(mmap.PAGESIZE))
        self.assertIsNone(m.flush(mmap.PAGESIZE, 1, flags=mmap.MS_ASYNC | mmap.MS_INVALIDATE))
        self.raises(OSError, None, m.flush, 1, 1)
        self.raises(OSError, None, m.flush, flags=mmap.MS_ASYNC | mmap.MS_SYNC)
        self.raises(OSError, None, m.flush, flags=1 << 20)
        self.raises(TypeError, None, m.flush, 0, None)
        self.raises(TypeError, None, m.flush, 0, 1, 1)
        self.assertIsNone(self.read_only().flush(1, 1, flags=1 << 20))

    def test_madvise(self):
        m = self.memory(bytes(2 * mmap.PAGESIZE))
        for start in (-1, len(m), len(m) + 1):
            self.raises(ValueError, "madvise start out of bounds", m.madvise, mmap.MADV_NORMAL, start, -1)
        self.raises(ValueError, "madvise length invalid", m.madvise, mmap.MADV_NORMAL, 0, -1)
        self.raises(OverflowError, "madvise length too large", m.madvise, mmap.MADV_NORMAL, mmap.PAGESIZE, sys.maxsize)
        self.raises(OSError, None, m.madvise, 12345)
        self.raises(PermissionError, None, m.madvise, mmap.MADV_HWPOISON)
        self.raises(PermissionError, None, m.madvise, mmap.MADV_SOFT_OFFLINE)
        self.raises(OSError, None, m.madvise, mmap.MADV_NORMAL, 1)
        self.raises(TypeError, None, m.madvise, mmap.MADV_NORMAL, 0, 1.0)
        self.assertIsNone(m.madvise(mmap.MADV_WILLNEED))
        self.assertIsNone(m.madvise(mmap.MADV_SEQUENTIAL, mmap.PAGESIZE, sys.maxsize - mmap.PAGESIZE))
        self.assertIsNone(m.madvise(mmap.MADV_NORMAL, 0, None))

    def test_resize(self):
        m = mmap.mmap(-1, 10, flags=mmap.MAP_PRIVATE)
        self.addCleanup(m.close)
        self.raises(ValueError, "new size out of range", m.resize, -1)
        self.raises(OSError, None, m.resize, 0)
        self.assertEqual(len(m), 10)
        m[:] = b"0123456789"
        m.seek(9)
        m.resize(4)
        self.assertEqual((len(m), m[:], m.tell(), m.read()), (4, b"0123", 9, b""))
        self.raises(ValueError, "seek out of range", m.seek, 0, 1)
        self.raises(ValueError, "data out of range", m.write, b"")
        m.resize(6)
        self.assertEqual((m[:4], m.size()), (b"0123", 6))
        refusal = "mmap can't resize a readonly or copy-on-write memory map."
        self.raises(TypeError, refusal, self.read_only().resize, -1)
        with mmap.mmap(-1, 10, access=mmap.ACCESS_COPY) as copy:
            self.raises(TypeError, refusal, copy.resize, 5)
        with mmap.mmap(-1, 10, access=mmap.ACCESS_READ, trackfd=False) as untracked:
            self.raises(ValueError, "mmap can't resize with trackfd=False.", untracked.resize, 5)
            self.raises(ValueError, "can't get size with trackfd=False", untracked.size)

    def test_set_name(self):
        m = self.memory()
        self.raises(TypeError, None, m.set_name, b"name")
        self.raises(ValueError, "embedded null character", m.set_name, "a\0b")
        self.raises(ValueError, "name is too long", m.set_name, "n" * 67)
        self.raises(ValueError, "name is too long", m.set_name, "\N{EURO SIGN}" * 23)
        self.assertIsNone(m.set_name("n" * 66))

    def test_read_only(self):
        m = self.read_only()
        for call in (lambda: m.write(b""), lambda: m.write_byte(0), lambda: m.__setitem__(slice(0, 0), b"")):
            self.raises(TypeError, READ_ONLY, call)
        self.raises(OverflowError, None, m.write_byte, 256)

    def test_closed(self):
        m = self.memory()
        m.close()
        m.close()
        calls = [
            lambda: len(m),
            lambda: bool(m),
            lambda: m[0],
            lambda: m["a"],
            lambda: m[0:1],
            lambda: m[::0],
            lambda: list(m),
            lambda: b"0" in m,
            lambda: memoryview(m),
            m.__enter__,
            m.tell,
            m.size,
            m.read,
            m.read_byte,
            m.readline,
            m.flush,
            lambda: m.seek(99, 9),
            lambda: m.write(b"x"),
            lambda: m.write_byte(0),
            lambda: m.find(b"x"),
            lambda: m.rfind(b"x"),
            lambda: m.move(-1, 0, 0),
            lambda: m.resize(-1),
            lambda: m.madvise(12345, -1),
            lambda: m.__setitem__(0, 1),
            lambda: m.__setitem__(slice(0, 1), b"x"),
        ]
        for call in calls:
            self.raises(ValueError, CLOSED, call)
        self.assertTrue(m.closed)
        self.assertTrue(m.seekable())
        self.assertEqual(repr(m), "<mmap.mmap closed=True>")
        self.assertEqual({m: 1}[m], 1)
        self.assertIsNone(m.__exit__(None, None, None))
        # Errors of arguments come first.
        self.raises(TypeError, None, m.find, 1)
        self.raises(OverflowError, None, m.write_byte, 256)
        self.raises(TypeError, "mmap indices must be integer", m.__setitem__, "a", 1)
        read_only = self.read_only()
        read_only.close()
        self.raises(TypeError, READ_ONLY, read_only.__setitem__, 0, 1)


class Items(Calls):
    def test_get(self):
        m = self.memory()
        self.assertEqual((m[0], m[-1], m[Index(3)], m[True]), (48, 57, 51, 49))
        for index in (10, -11, sys.maxsize, -sys.maxsize - 1):
            self.raises(IndexError, "mmap index out of range", operator.getitem, m, index)
        self.raises(IndexError, "cannot fit 'int' into an index-sized integer", operator.getitem, m, 1 << 70)
        for wrong in ("0", 1.0, None, b"0", (0,)):
            self.raises(TypeError, "mmap indices must be integers", operator.getitem, m, wrong)

    def test_slices(self):
        text = b"0123456789"
        m = self.memory(text)
        bounds = (None, -(1 << 80), -11, -10, -3, 0, 1, 5, 9, 10, 11, 1 << 40, 1 << 80)
        for start in bounds:
            for stop in bounds:
                for step in (None, 1, 2, 3, 11, 1 << 80, -1, -2, -11, -(1 << 80)):
                    self.assertEqual(m[start:stop:step], text[start:stop:step], (start, stop, step))
        self.assertEqual(m[Index(2) : Index(5) : Index(2)], b"24")
        self.raises(ValueError, "slice step cannot be zero", operator.getitem, m, slice(None, None, 0))
        wrong = "slice indices must be integers or have an __index__ method"
        self.raises(TypeError, wrong, operator.getitem, m, slice("a", None))
        self.raises(TypeError, wrong, operator.getitem, m, slice(None, 1.0))

    def test_order_of_checks_in_assignments(self):
        m = self.memory()
        self.raises(TypeError, "mmap indices must be integer", m.__setitem__, "a", "b")
        self.raises(IndexError, "cannot fit 'int' into an index-sized integer", m.__setitem__, 1 << 70, "b")
        self.raises(TypeError, "mmap item value must be an int", m.__setitem__, 10, b"A")
        self.raises(TypeError, "cannot fit 'int' into an index-sized integer", m.__setitem__, 10, 1 << 70)
        for value in (-1, 256):
            self.raises(ValueError, "mmap item value must be in range(0, 256)", m.__setitem__, 10, value)
        for index in (10, -11):
            self.raises(IndexError, "mmap index out of range", m.__setitem__, index, 0)
        self.raises(TypeError, "mmap doesn't support item deletion", m.__delitem__, 10)
        self.raises(TypeError, "mmap object doesn't support slice deletion", m.__delitem__, slice(0, 1))
        self.raises(TypeError, "mmap indices must be integer", m.__delitem__, "a")
        self.raises(TypeError, READ_ONLY, self.read_only().__delitem__, 0)
        self.raises(TypeError, READ_ONLY, self.read_only().__setitem__, "a", "b")

    def test_slice_assignments(self):
        m = self.memory()
        wrong_size = "mmap slice assignment is wrong size"
        for chosen, content in (
            (slice(0, 3), b"ab"),
            (slice(0, 3), b"abcd"),
            (slice(3, 0), b"x"),
            (slice(0, 10, 2), b"abcd"),
        ):
            self.raises(IndexError, wrong_size, m.__setitem__, chosen, content)
        for wrong in ("ab", 1, [1, 2]):
            self.raises(TypeError, None, m.__setitem__, slice(0, 2), wrong)
        self.assertEqual(m[:], b"0123456789")
        m[0:2] = bytearray(b"ab")
        m[9:4:-2] = memoryview(b"xyz")
        m[5:5] = b""
        self.assertEqual(m[:], b"ab234z6y8x")

    def test_closed_by_an_index(self):
        for call in (
            lambda m, index: m[index],
            lambda m, index: m[index:],
            lambda m, index: m[:index],
            lambda m, index: m.__setitem__(index, 1),
            lambda m, index: m.__setitem__(0, index),
            lambda m, index: m.__setitem__(slice(index, None), b"0123456789"),
            lambda m, index: m.read(index),
            lambda m, index: m.seek(index),
            lambda m, index: m.find(b"1", index),
            lambda m, index: m.rfind(b"1", 0, index),
            lambda m, index: m.move(0, index, 1),
            lambda m, index: m.write_byte(index),
            lambda m, index: m.resize(index),
            lambda m, index: m.flush(index),
            lambda m, index: m.madvise(mmap.MADV_NORMAL, 0, index),
        ):
            m = self.memory()
            self.raises(ValueError, CLOSED, call, m, Index(0, m.close))

    def test_made_shorter_by_an_index(self):
        def shorter():
            m = self.memory()
            return m, Index(8, lambda: m.resize(4))

        m, index = shorter()
        self.raises(IndexError, "mmap index out of range", operator.getitem, m, index)
        m, index = shorter()
        self.raises(IndexError, "mmap index out of range", m.__setitem__, index, 1)
        m, index = shorter()
        self.assertEqual(m[2:index], b"23")
        m, index = shorter()
        self.raises(IndexError, "mmap slice assignment is wrong size", m.__setitem__, slice(2, index), b"abcdef")
        self.assertEqual(m[:], b"0123")
