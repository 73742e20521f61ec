"""Runs the tests of `mmap`: run.py SCRATCH [FOLDER].

The project's own stand beside this file; FOLDER is the package `test` of an installed CPython, whose `test_mmap` runs
then too. Prints a line of JSON for each test, and fails if a test failed.
"""

import importlib.util
import json
import os
import sys
import sysconfig
import types
import unittest

OWN = ("test_calls", "test_files", "test_object", "test_views")

_SIZE = (
    "ValueError: can't get size with trackfd=False",
    "3.15 raises ValueError for size() with trackfd=False, not OSError",
)

# Tests of versions before 3.15 that expect what 3.15 changed: what is raised instead, and the change. Such a test may
# fail in this way and in no other.
CHANGED = {
    "MmapTests.test_basic": (
        "TypeError: mmap item value must be an int",
        "3.15 looks at the value before it looks whether the index is in range",
    ),
    "MmapTests.test_trackfd_parameter": _SIZE,
    "MmapTests.test_trackfd_neg1": _SIZE,
}


def name_of(test):
    """`Class.test`."""
    return ".".join(test.id().split(".")[-2:])


class Report(unittest.TestResult):
    """Keeps what each test came to."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome, detail=""):
        # A subtest that failed says it before its test is said to have ended well.
        if self.outcomes.get(name_of(test), {}).get("outcome") in (None, "passed"):
            self.outcomes[name_of(test)] = {"outcome": outcome, "detail": detail}

    def refused(self, test, error):
        raised, reason = CHANGED.get(name_of(test), (None, None))
        if type(test).__module__.startswith("test.") and f"{error[0].__name__}: {error[1]}" == raised:
            self.note(test, "skipped", reason)
        else:
            self.note(test, "failed", self._exc_info_to_string(error, test))

    def addSuccess(self, test):
        self.note(test, "passed")

    def addSkip(self, test, reason):
        self.note(test, "skipped", reason)

    def addFailure(self, test, error):
        self.refused(test, error)

    def addError(self, test, error):
        self.refused(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.refused(test, error)

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "unexpected success")


def cpython(folder):
    """The module `test.test_mmap` of the package in this folder, which is used for it and for what it imports alone."""
    # How this Python was built is not among what componentize-py packs; `test.support` asks, and no test of `mmap`
    # needs it.
    built = types.ModuleType(sysconfig._get_sysconfigdata_name())
    built.build_time_vars = {}
    sys.modules.setdefault(built.__name__, built)
    path = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location("test", path, submodule_search_locations=[folder])
    package = sys.modules["test"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return importlib.import_module("test.test_mmap")


def main(scratch, folder=None):
    os.chdir(scratch)
    suites = [("own", importlib.import_module(name)) for name in OWN]
    if folder is not None:
        suites.append(("CPython", cpython(folder)))
    failed = False
    for suite, module in suites:
        report = Report()
        unittest.defaultTestLoader.loadTestsFromModule(module).run(report)
        for name, outcome in sorted(report.outcomes.items()):
            print(json.dumps({"suite": suite, "test": name} | outcome))
            failed |= outcome["outcome"] == "failed"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
