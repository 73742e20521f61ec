"""What the module `mmap` is made of: the bindings, the way from a descriptor to its file, views, constants, errors."""
