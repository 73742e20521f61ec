"""The bindings that componentize-py generates for `wasi-mmap:mmap` and `wasi:filesystem`.

The names of the modules depend on the other imports of the plugin's world, so the modules are found by their contents.
"""

import importlib
import inspect
import os
import pkgutil

from componentize_py_types import Err
from wit_world import imports

__all__ = ["Err", "being_built", "filesystem", "mapping", "preopens", "types"]


def being_built():
    """Return True while componentize-py builds the plugin. Then bindings are files, and imports cannot be called."""
    return os.path.isdir(imports.__path__[0])


def _imported_with(name):
    """Yield the imported interfaces that have an item of this name."""
    for found in pkgutil.iter_modules(imports.__path__):
        module = importlib.import_module(f"{imports.__name__}.{found.name}")
        if hasattr(module, name):
            yield module


def _used_by(module, name):
    """Return the interface from which another one uses the type of this name."""
    return next(used for used in vars(module).values() if inspect.ismodule(used) and hasattr(used, name))


try:
    mapping = next(found for found in _imported_with("Mapping") if hasattr(found, "granularity"))
    types = _used_by(mapping, "MapOptions")
    filesystem = _used_by(mapping, "Descriptor")
    # A world may import several versions. Descriptors must be of the version that mappings accept.
    preopens = next(found for found in _imported_with("get_directories") if filesystem in vars(found).values())
except StopIteration:
    raise ImportError("the plugin's world must include the world wasi-mmap:python/plugin") from None
