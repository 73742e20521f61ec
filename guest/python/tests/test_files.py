"""Files: the file of a number, the rights of its mappings, and visibility to others."""

import contextlib
import errno
import mmap
import os
import sys
import tempfile
import unittest

WASI = sys.platform == "wasi"


class Files(unittest.TestCase):
    def setUp(self):
        self.name = f"{self.id().rpartition('.')[2]}.bin"
        self.path = os.path.join(os.getcwd(), self.name)
        with open(self.path, "wb") as file:
            file.write(b"0123456789")
        self.addCleanup(self.remove)

    def remove(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)

    def content(self):
        with open(self.path, "rb") as file:
            return file.read()

    def changes(self, number):
        """Return True if the file with this number was mapped and changed."""
        with mmap.mmap(number, 0) as m:
            m[0] = 0x61
        return self.content() == b"a123456789"


class Numbers(Files):
    def test_of_open(self):
        for name in (self.path, self.name, os.path.join(".", self.name), os.fsencode(self.path)):
            for buffering in (-1, 0):
                with open(name, "r+b", buffering=buffering) as file:
                    self.assertTrue(self.changes(file.fileno()))
        with open(self.path, "r+", encoding="ascii") as file:
            self.assertTrue(self.changes(file.fileno()))

    def test_after_a_change_of_directory(self):
        there = os.getcwd()
        os.makedirs("below", exist_ok=True)
        self.addCleanup(os.rmdir, os.path.join(there, "below"))
        self.addCleanup(os.chdir, there)
        os.chdir("below")
        with open(os.path.join("..", self.name), "r+b") as file:
            self.assertTrue(self.changes(file.fileno()))

    def test_of_os_open(self):
        number = os.open(self.name, os.O_RDWR)
        try:
            self.assertTrue(self.changes(number))
        finally:
            os.close(number)
        number = os.open(self.name, os.O_RDWR)
        with os.fdopen(number, "r+b") as file:
            self.assertTrue(self.changes(file.fileno()))

    def test_of_tempfile(self):
        number, path = tempfile.mkstemp(dir=os.getcwd())
        try:
            os.write(number, b"abc")
            with mmap.mmap(number, 0) as m:
                self.assertEqual(m[:], b"abc")
        finally:
            os.close(number)
            os.unlink(path)
        with tempfile.NamedTemporaryFile(dir=os.getcwd()) as file:
            file.write(b"abcd")
            file.flush()
            with mmap.mmap(file.fileno(), 0) as m:
                self.assertEqual(m[:], b"abcd")

    def test_a_number_that_is_given_again(self):
        first = os.open(self.name, os.O_RDWR)
        os.close(first)
        with open(self.path + ".other", "w+b") as other:
            self.addCleanup(os.unlink, other.name)
            other.write(b"other")
            other.flush()
            with mmap.mmap(other.fileno(), 0) as m:
                self.assertEqual(m[:], b"other")

    def test_through_a_link(self):
        link = self.path + ".link"
        os.symlink(self.name, link)
        self.addCleanup(os.unlink, link)
        with open(link, "r+b") as file:
            self.assertTrue(self.changes(file.fileno()))

    def test_of_nothing(self):
        for number in (-2, 12345):
            with self.assertRaises(OSError) as caught:
                mmap.mmap(number, 0)
            self.assertEqual(caught.exception.errno, errno.EBADF)
        with open(self.path, "r+b") as file:
            number = file.fileno()
        with self.assertRaises(OSError):
            mmap.mmap(number, 0)

    def test_of_a_directory(self):
        number = os.open(".", os.O_RDONLY)
        self.addCleanup(os.close, number)
        for length in (0, 10):
            with self.assertRaises(OSError):
                mmap.mmap(number, length, access=mmap.ACCESS_READ)

    @unittest.skipUnless(WASI, "other systems map a number directly")
    def test_without_a_path(self):
        def refused(number, reason):
            with self.assertRaisesRegex(OSError, f"no path leads to the file of descriptor {number}: .*{reason}"):
                mmap.mmap(number, 0)

        with open(self.path, "r+b") as file:
            os.rename(self.path, self.path + ".renamed")
            refused(file.fileno(), "cannot be opened again: No such file or directory")
            with open(self.path, "wb") as another:
                another.write(b"9876543210")
            refused(file.fileno(), "is another file now")
            os.rename(self.path + ".renamed", self.path)
            self.assertTrue(self.changes(file.fileno()))
            os.unlink(self.path)
            refused(file.fileno(), "cannot be opened again: No such file or directory")

    def test_of_an_unknown_number(self):
        with open(self.path, "r+b") as file:
            # Python does not know the path of a number that it did not open.
            import posix

            number = posix.open(self.path, os.O_RDWR)
            self.addCleanup(os.close, number)
            file.close()
            if WASI:
                with self.assertRaisesRegex(OSError, "it was not opened by a path that this Python knows"):
                    mmap.mmap(number, 0)
            else:
                self.assertTrue(self.changes(number))


class Rights(Files):
    def test_opened_to_read(self):
        for opened in (open(self.path, "rb"), os.fdopen(os.open(self.path, os.O_RDONLY), "rb")):
            with opened as file:
                for options in ({}, {"access": mmap.ACCESS_WRITE}, {"prot": mmap.PROT_WRITE}):
                    with self.assertRaises(PermissionError):
                        mmap.mmap(file.fileno(), 0, **options)
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as m:
                    self.assertEqual(m[:], b"0123456789")
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as m:
                    m[0] = 0x61
                    self.assertEqual(m[:], b"a123456789")
                with mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE) as m:
                    m[0] = 0x61
                    with self.assertRaises(OSError):
                        m.resize(5)
        self.assertEqual(self.content(), b"0123456789")

    def test_opened_to_write(self):
        with open(self.path, "ab") as file:
            for access in (mmap.ACCESS_READ, mmap.ACCESS_WRITE, mmap.ACCESS_COPY):
                with self.assertRaises(PermissionError):
                    mmap.mmap(file.fileno(), 0, access=access)

    def test_two_openings_of_one_file(self):
        with open(self.path, "rb") as reader, open(self.path, "r+b") as writer:
            with self.assertRaises(PermissionError):
                mmap.mmap(reader.fileno(), 0)
            self.assertTrue(self.changes(writer.fileno()))


class Lengths(Files):
    def refused(self, kind, message, *arguments, **named):
        with open(self.path, "r+b") as file, self.assertRaises(kind) as caught:
            mmap.mmap(file.fileno(), *arguments, **named)
        if message:
            self.assertEqual(str(caught.exception), message)

    def test_refusals(self):
        past = mmap.ALLOCATIONGRANULARITY
        self.refused(ValueError, "mmap length is greater than file size", 11)
        self.refused(ValueError, "mmap length is greater than file size", 1, offset=past)
        self.refused(ValueError, "mmap offset is greater than file size", 0, offset=past)
        self.refused(ValueError, "mmap offset is greater than file size", 0, offset=(1 << 63) - 1)
        self.refused(OSError, None, 0, offset=1)
        open(self.path, "wb").close()
        self.refused(ValueError, "cannot mmap an empty file", 0)
        self.refused(ValueError, "mmap length is greater than file size", 1)

    def test_anonymous_memory_of_a_file(self):
        with open(self.path, "r+b") as file:
            with mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as m:
                self.assertEqual(m[:], bytes(10))
            with self.assertRaises(ValueError):
                mmap.mmap(file.fileno(), 11, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def test_parts(self):
        at = mmap.ALLOCATIONGRANULARITY
        with open(self.path, "r+b") as file:
            file.truncate(at + 10)
            file.seek(at)
            file.write(b"the second")
            file.flush()
            with mmap.mmap(file.fileno(), 0, offset=at) as m:
                self.assertEqual((m[:], len(m), m.size()), (b"the second", 10, at + 10))
                self.assertIn(f"offset={at}>", repr(m))
                m.resize(4)
                self.assertEqual((m[:], m.size(), os.path.getsize(self.path)), (b"the ", at + 4, at + 4))

    def test_truncated_by_others(self):
        with open(self.path, "r+b") as file:
            file.truncate(20 * mmap.PAGESIZE)
            with mmap.mmap(file.fileno(), 0) as m:
                file.truncate(10)
                self.assertEqual((len(m), m.size()), (20 * mmap.PAGESIZE, 10))
                if WASI:  # on other systems the process dies
                    with self.assertRaises(OSError):
                        m[10 * mmap.PAGESIZE]


class Sharing(Files):
    def test_the_file_may_go(self):
        with open(self.path, "r+b") as file:
            m = mmap.mmap(file.fileno(), 0)
        os.rename(self.path, self.path + ".renamed")
        m[0] = 0x61
        m.resize(4)
        m.flush()
        os.rename(self.path + ".renamed", self.path)
        self.assertEqual(self.content(), b"a123")
        os.unlink(self.path)
        self.assertEqual((m[:], m.size()), (b"a123", 4))
        m.close()

    def test_mappings_of_one_file(self):
        with open(self.path, "r+b") as file:
            with (
                mmap.mmap(file.fileno(), 0) as one,
                mmap.mmap(file.fileno(), 0) as two,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as reader,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as copy,
            ):
                one[0] = 0x61
                copy[1] = 0x62
                two[2:4] = b"cd"
                self.assertEqual((one[:4], two[:4], reader[:4]), (b"a1cd", b"a1cd", b"a1cd"))
                self.assertEqual(copy[1:2], b"b")
                with memoryview(one) as view:
                    two[9] = 0x7A
                    view[8] = 0x79
                self.assertEqual(
                    (one[7:], two[7:]), (b"7yz", b"7yz"), "a view does not restore what others have overwritten"
                )
        self.assertEqual(self.content(), b"a1cd4567yz")

    def test_changes_reach_the_file(self):
        with open(self.path, "r+b") as file, mmap.mmap(file.fileno(), 0) as m:
            m[0] = 0x61
            m.flush()
            self.assertEqual(self.content(), b"a123456789")
            m[1] = 0x62
        self.assertEqual(self.content(), b"ab23456789")

    def test_without_tracking(self):
        with open(self.path, "r+b") as file:
            m = mmap.mmap(file.fileno(), 0, trackfd=False)
        m[0] = 0x61
        with self.assertRaisesRegex(ValueError, "^can't get size with trackfd=False$"):
            m.size()
        m.close()
        self.assertEqual(self.content(), b"a123456789")

    @unittest.skipUnless(WASI, "other systems have names only on Windows")
    def test_names(self):
        with mmap.mmap(-1, 10, tagname="a name") as one, mmap.mmap(-1, 5, tagname="a name") as two:
            one[4] = 0x61
            self.assertEqual((two[4], len(two)), (0x61, 5))
            with mmap.mmap(-1, 10, tagname="another") as other:
                self.assertEqual(other[:], bytes(10))
        with self.assertRaisesRegex(TypeError, "^expected str or None for 'tagname', not int$"):
            mmap.mmap(-1, 10, tagname=1)
        for refused in ("", "n" * 101):
            with self.assertRaises(OSError):
                mmap.mmap(-1, 10, tagname=refused)
        with self.assertRaises(UnicodeEncodeError):
            mmap.mmap(-1, 10, tagname="\udc80")
