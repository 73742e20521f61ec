"""The object: sequence, iteration, context manager, identity, and unsupported operations."""

import copy
import gc
import mmap
import operator
import pickle
import sys
import unittest
import weakref


class Object(unittest.TestCase):
    def setUp(self):
        self.m = mmap.mmap(-1, 5)
        self.addCleanup(self.m.close)
        self.m[:] = b"abcab"

    def test_iteration_gives_bytes(self):
        m = self.m
        self.assertEqual(list(m), [b"a", b"b", b"c", b"a", b"b"])
        self.assertEqual(list(reversed(m)), [b"b", b"a", b"c", b"b", b"a"])
        self.assertEqual((min(m), sorted(m)[-1]), (b"a", b"c"))
        self.assertEqual((operator.countOf(m, b"a"), operator.indexOf(m, b"c")), (2, 2))
        first, *_, last = m
        self.assertEqual((first, last), (b"a", b"b"))
        self.assertTrue(b"c" in m)
        for absent in (b"z", b"ab", 97, "a", None):
            self.assertFalse(absent in m)

    def test_iteration_sees_what_happens_meanwhile(self):
        m = self.m
        items = iter(m)
        self.assertEqual(next(items), b"a")
        m[1] = 0x78
        self.assertEqual(next(items), b"x")
        m.resize(3)
        self.assertEqual(list(items), [b"c"])
        items = iter(m)
        next(items)
        m.close()
        with self.assertRaisesRegex(ValueError, "mmap closed or invalid"):
            next(items)

    def test_context_manager(self):
        with self.m as entered:
            self.assertIs(entered, self.m)
        self.assertTrue(self.m.closed)
        with self.assertRaisesRegex(ValueError, "mmap closed or invalid"):
            self.m.__enter__()
        with self.assertRaises(TypeError):
            self.m.__exit__()

    def test_leaving_closes_past_an_overridden_close(self):
        class Kept(mmap.mmap):
            def close(self):
                raise AssertionError

        with Kept(-1, 1) as m:
            pass
        self.assertTrue(m.closed)

    def test_closed_cannot_be_set(self):
        with self.assertRaises(AttributeError):
            self.m.closed = True
        with self.assertRaises(AttributeError):
            del self.m.closed
        with self.assertRaises(AttributeError):
            self.m.anything = 1
        self.assertFalse(hasattr(self.m, "__dict__"))

    def test_repr(self):
        self.m.seek(2)
        self.assertEqual(repr(self.m), "<mmap.mmap closed=False, access=ACCESS_DEFAULT, length=5, pos=2, offset=0>")
        self.assertEqual(str(self.m), repr(self.m))

        class Own(mmap.mmap):
            pass

        own = Own(-1, 3, access=mmap.ACCESS_COPY)
        self.assertRegex(repr(own), r"<.*Own closed=False, access=ACCESS_COPY, length=3, pos=0, offset=0>")
        own.close()
        self.assertRegex(repr(own), r"<.*Own closed=True>")
        with self.assertRaises(TypeError):
            format(self.m, ">20")

    def test_subclass(self):
        class Named(mmap.mmap):
            def __new__(cls, name, length):
                return super().__new__(cls, -1, length)

            def __init__(self, name, length):
                self.name = name

        with Named("a", 3) as named:
            self.assertEqual((named.name, len(named)), ("a", 3))

    def test_pickling_is_refused(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with self.assertRaisesRegex(TypeError, r"cannot pickle '(mmap\.)?mmap' object"):
                pickle.dumps(self.m, protocol)
        for way in (copy.copy, copy.deepcopy):
            with self.assertRaisesRegex(TypeError, r"cannot pickle 'mmap\.mmap' object"):
                way(self.m)

    def test_weak_references(self):
        m = mmap.mmap(-1, 1)
        reference = weakref.ref(m)
        self.assertIs(reference(), m)
        del m
        gc.collect()
        self.assertIsNone(reference())

    def test_operators(self):
        for call in (
            lambda: self.m + self.m, lambda: self.m + b"a", lambda: self.m * 2, lambda: self.m < self.m,
            lambda: operator.concat(self.m, self.m),
        ):  # fmt: skip
            self.assertRaises(TypeError, call)
        self.assertEqual(b"<" + self.m, b"<abcab")
        self.assertNotEqual(self.m, b"abcab")
        self.assertEqual(self.m, self.m)
        self.assertEqual(len({self.m, self.m}), 1)
        self.assertTrue(self.m)

    @unittest.skipUnless(sys.platform == "wasi", "other systems have no build time")
    def test_sizes_at_build_time(self):
        built_with = sys.modules["plugin"].BUILT_WITH
        for built, now in zip(built_with, (mmap.PAGESIZE, mmap.ALLOCATIONGRANULARITY)):
            self.assertEqual((built, built % now), (65536, 0))

    def test_module(self):
        self.assertIs(mmap.error, OSError)
        self.assertEqual((mmap.mmap.__module__, mmap.mmap.__qualname__), ("mmap", "mmap"))
        self.assertEqual(mmap.ALLOCATIONGRANULARITY % mmap.PAGESIZE, 0)
        self.assertFalse(hasattr(mmap, "PROT_NONE"))
        numbers = {
            "ACCESS_COPY": 3,
            "PROT_EXEC": 4,
            "MAP_SHARED": 1,
            "MAP_ANON": 32,
            "MAP_POPULATE": 32768,
            "MAP_STACK": 131072,
            "MAP_NORESERVE": 16384,
            "MADV_DONTNEED": 4,
            "MADV_FREE": 8,
            "MADV_HWPOISON": 100,
            "MS_ASYNC": 1,
            "MS_SYNC": 4,
        }
        self.assertEqual({name: getattr(mmap, name) for name in numbers}, numbers)
