"""The parts of the module `mmap`: bindings, descriptors of open files, views, constants, errors."""
