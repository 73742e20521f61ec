"""The bindings that componentize-py made of `wasi-mmap:mmap` and `wasi:filesystem`.

How it names a module depends on what else the plugin's world imports, so the modules are found by what they hold.
"""

import importlib
import inspect
import os
import pkgutil

from componentize_py_types import Err
from wit_world import imports

__all__ = ["Err", "being_built", "filesystem", "mapping", "preopens", "types"]


def being_built():
    """Whether componentize-py is building the plugin: only then are the bindings files, and no import can be called."""
    return os.path.isdir(imports.__path__[0])


def _imported_with(name):
    """The imported interfaces that have something of this name."""
    for found in pkgutil.iter_modules(imports.__path__):
        module = importlib.import_module(f"{imports.__name__}.{found.name}")
        if hasattr(module, name):
            yield module


def _used_by(module, name):
    """The interface that another one takes its type of this name from."""
    return next(used for used in vars(module).values() if inspect.ismodule(used) and hasattr(used, name))


try:
    mapping = next(found for found in _imported_with("Mapping") if hasattr(found, "granularity"))
    types = _used_by(mapping, "MapOptions")
    filesystem = _used_by(mapping, "Descriptor")
    # A world may import more than one version; a descriptor must be of the version that a mapping takes.
    preopens = next(found for found in _imported_with("get_directories") if filesystem in vars(found).values())
except StopIteration:
    raise ImportError("the plugin's world must include the world wasi-mmap:mmap/python") from None
