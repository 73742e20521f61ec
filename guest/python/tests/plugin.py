"""A plugin that runs a Python program from a preopened directory. The first argument is the program's path.

The standard library is not available at run time, so everything that the programs import is imported at build time.
"""

import contextlib
import importlib
import mmap
import os
import runpy
import sys
import traceback

from componentize_py_types import Err
from wit_world import exports

# For the project's own programs, and for CPython's package `test`, which tries to import more than this Python has.
MODULES = """
    _colorize _opcode annotationlib array ast asyncio.events bz2 codecs collections.abc copy dataclasses datetime
    decimal difflib dis encodings.ascii encodings.latin_1 errno faulthandler fnmatch functools gc getpass glob gzip
    hashlib importlib.machinery importlib.util inspect io itertools json locale logging lzma math opcode operator
    pathlib pickle pkgutil platform py_compile random re shlex shutil signal socket stat statistics string struct
    subprocess sysconfig tarfile tempfile textwrap threading time tracemalloc types unicodedata unittest unittest.mock
    urllib.parse urllib.request warnings weakref zipfile zlib
"""
for name in MODULES.split():
    with contextlib.suppress(ImportError):
        importlib.import_module(name)

# The values at build time, which a program's top level would see.
BUILT_WITH = (mmap.PAGESIZE, mmap.ALLOCATIONGRANULARITY)


class Run(exports.Run):
    """The command."""

    def run(self):
        """Run the program as Python runs a script."""
        sys.argv = sys.argv[1:]
        sys.path.insert(0, os.path.dirname(sys.argv[0]))
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            if end.code:
                raise Err(None) from None
        except BaseException:
            traceback.print_exc()
            raise Err(None) from None
