"""Run the tests of `mmap`: run.py SCRATCH [FOLDER].

The project's own tests are beside this file. If FOLDER is given, it is the package `test` of an installed CPython, and
its `test_mmap` runs too. Prints a line of JSON for each test, and fails if a test fails.
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

# Tests of versions before 3.15 for behaviour that 3.15 changed: the exception that is raised instead, and the change.
# Such a test may only fail in this way.
CHANGED = {
    "MmapTests.test_basic": (
        "TypeError: mmap item value must be an int",
        "3.15 checks the value before it checks that the index is in range",
    ),
    "MmapTests.test_trackfd_parameter": _SIZE,
    "MmapTests.test_trackfd_neg1": _SIZE,
}


def name_of(test):
    """`Class.test`."""
    return ".".join(test.id().split(".")[-2:])


class Report(unittest.TestResult):
    """Collects the outcome of each test."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}

    def note(self, test, outcome, detail=""):
        # A failed subtest is reported before the success of its test.
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
    """Return the module `test.test_mmap` of the package in this folder."""
    # componentize-py does not pack the build configuration of this Python. `test.support` imports it, but no test of
    # `mmap` needs it.
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
