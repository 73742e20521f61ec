"""A plugin that runs a Python program from a directory that it is given: the first argument is the program's path.

The standard library is not there when a plugin runs: what the programs import has to be imported while it is built.
"""

# ruff: noqa: F401
import array
import ast
import collections.abc
import contextlib
import copy
import datetime
import difflib
import dis
import errno
import fnmatch
import gc
import glob
import hashlib
import io
import itertools
import json
import locale
import logging
import mmap
import operator
import os
import pathlib
import pickle
import pkgutil
import platform
import random
import re
import runpy
import shutil
import signal
import socket
import string
import struct
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import threading
import time
import traceback
import types
import unittest
import unittest.mock
import warnings
import weakref
import zipfile

from wit_world import exports
from componentize_py_types import Err
print(mmap.PAGESIZE)

class Run(exports.Run):
    def run(self):
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
