"""The buffer protocol: views of a mapping, and changes through them."""

import array
import contextlib
import gc
import hashlib
import io
import mmap
import os
import re
import struct
import unittest
import weakref

TEXT = b"one two three four five six seven"


class Views(unittest.TestCase):
    def setUp(self):
        self.m = mmap.mmap(-1, len(TEXT))
        self.m[:] = TEXT
        self.addCleanup(self.m.close)

    def test_consumers(self):
        m = self.m
        self.assertEqual(re.search(rb"t(w)o", m).span(1), (5, 6))
        self.assertEqual([found.group() for found in re.finditer(rb"f\w+", m)], [b"four", b"five"])
        self.assertEqual(re.sub(rb"o", b"0", m), TEXT.replace(b"o", b"0"))
        self.assertEqual(struct.unpack_from("<3sxH", m, 0), struct.unpack_from("<3sxH", TEXT, 0))
        self.assertEqual(hashlib.sha256(m).digest(), hashlib.sha256(TEXT).digest())
        self.assertEqual((bytes(m), bytearray(m), str(m, "ascii")), (TEXT, bytearray(TEXT), TEXT.decode()))
        self.assertEqual(b"-".join([m, m]), TEXT + b"-" + TEXT)
        self.assertEqual(io.BytesIO(m).read(), TEXT)
        m.close()

    def test_what_a_view_is(self):
        with memoryview(self.m) as view:
            self.assertEqual((view.format, view.itemsize, view.ndim, view.shape), ("B", 1, 1, (len(TEXT),)))
            self.assertTrue(view.c_contiguous)
            self.assertFalse(view.readonly)
            self.assertEqual(view, TEXT)

    def test_read_only(self):
        with mmap.mmap(-1, 4, access=mmap.ACCESS_READ) as m:
            with memoryview(m) as view:
                self.assertTrue(view.readonly)
                with self.assertRaises(TypeError):
                    view[0] = 1
            with self.assertRaises((BufferError, TypeError)):
                io.BytesIO(b"abcd").readinto(m)
        with mmap.mmap(-1, 4, access=mmap.ACCESS_COPY) as m:
            with memoryview(m) as view:
                view[0] = 65
            self.assertEqual(m[0], 65)

    def test_views_are_counted(self):
        m = self.m
        first, second = memoryview(m), memoryview(m)
        part = first[2:5]
        for keep in (first, second, part):
            with self.assertRaisesRegex(BufferError, "^cannot close exported pointers exist$"):
                m.close()
            with self.assertRaisesRegex(BufferError, r"^mmap can't resize with extant buffers exported\.$"):
                m.resize(4)
            with self.assertRaises(BufferError), m:
                pass
            self.assertFalse(m.closed)
            if keep is not first:
                keep.release()
        first.release()
        m.close()

    def test_a_search_in_progress_counts(self):
        found = re.finditer(rb"\w+", self.m)
        match = next(found)
        with self.assertRaises(BufferError):
            self.m.close()
        del found
        gc.collect()
        self.m.close()
        self.assertEqual(match.span(), (0, 3))

    def test_a_view_keeps_the_object(self):
        m = mmap.mmap(-1, 3)
        reference, view = weakref.ref(m), memoryview(m)
        del m
        gc.collect()
        view[:] = b"abc"
        self.assertEqual(reference()[:], b"abc")
        view.release()
        gc.collect()
        self.assertIsNone(reference())

    def test_garbage(self):
        """In a cycle of garbage, changes through a view are written, and a finalizer can still use the mapping."""

        class Holder:
            def __init__(self, file):
                self.m = mmap.mmap(file.fileno(), 0)
                self.view = memoryview(self.m) if with_view else None
                self.cycle = self

            def __del__(self):
                with contextlib.suppress(ValueError, BufferError):
                    self.m.close()

        open("garbage.bin", "wb").close()
        self.addCleanup(os.unlink, os.path.abspath("garbage.bin"))
        for with_view in (False, True):
            with open("garbage.bin", "w+b") as file:
                file.write(b"0123456789")
                file.flush()
                holder = Holder(file)
                if with_view:
                    holder.view[3] = 0x78
                holder.m[0] = 0x79
                del holder
                gc.collect()
                file.seek(0)
                self.assertEqual(file.read(), b"y12x456789" if with_view else b"y123456789")

    def test_filled_by_others(self):
        self.assertEqual(io.BytesIO(b"ONE TWO").readinto(self.m), 7)
        self.assertEqual(self.m[:9], b"ONE TWO t")
        struct.pack_into("<H", self.m, 8, 0x4142)
        self.assertEqual(self.m[8:10], b"BA")

    def test_both_see_each_other(self):
        m = self.m
        with memoryview(m) as view, memoryview(m) as other:
            view[0] = 0x4F
            self.assertEqual((m[0], m[:3], other[0], m.find(b"One", 0)), (0x4F, b"One", 0x4F, 0))
            m[1] = 0x4E
            m[2:4] = b"E."
            self.assertEqual((bytes(view[:4]), bytes(other[:4])), (b"ONE.", b"ONE."))
            m[7:3:-1] = b"xwvu"
            self.assertEqual(bytes(view[4:8]), b"uvwx")
            m.seek(8)
            m.write(b"THREE")
            m.write_byte(33)
            self.assertEqual((bytes(view[8:14]), m.tell()), (b"THREE!", 14))
            other[-1] = 0x4E
            m.move(0, len(m) - 5, 5)
            self.assertEqual(bytes(view[:6]), b"seveNv")
            self.assertEqual(m.read(1), bytes(view[14:15]))
        self.assertEqual(m[:6], b"seveNv")

    def test_edits_during_a_search(self):
        m = self.m
        for found in re.finditer(rb"\bf(\w+)", m):
            m[found.start() : found.end()] = found.group().upper()
        self.assertEqual(m[:], b"one two three FOUR FIVE six seven")

    def test_casts(self):
        with memoryview(self.m) as view, view[:32].cast("I") as words:
            words[1] = 0x41414141
            words[7] = 0x42424242
        self.assertEqual((self.m[4:8], self.m[28:32]), (b"AAAA", b"BBBB"))
        self.m[0:8] = array.array("I", [1, 2])
        self.assertEqual(struct.unpack_from("2I", self.m), (1, 2))
        self.assertEqual(self.m[28:32], b"BBBB")

    def test_refused_when_closed(self):
        self.m.close()
        for take in (memoryview, bytes, hashlib.sha256):
            with self.assertRaisesRegex(ValueError, "mmap closed or invalid"):
                take(self.m)

    def test_many_changes(self):
        with mmap.mmap(-1, 50_000) as m:
            expected = bytearray(50_000)
            with memoryview(m) as view:
                for at in range(0, 50_000, 777):
                    view[at] = expected[at] = 1 + at % 255
                view[4000:4200] = expected[4000:4200] = b"x" * 200
            self.assertEqual(m[:], expected)
