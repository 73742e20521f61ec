"""CPython's mmap on the workloads of the benchmarks.

python_mmap.py WORKLOAD FILE prints the result, and the amount in the unit of the benchmark.
"""

import json
import mmap
import sys
import time

ABSENT = b"\0absent\0"


def find(m):
    at = m.find(ABSENT, 0)
    return at if at >= 0 else 2**64 - 1


def lines(m):
    m.seek(0)
    total = 0
    while line := m.readline():
        total += len(line)
    return total


SLICES = 200_000


def slices(m):
    total = 0
    end = len(m) - 1024
    for number in range(SLICES):
        at = number * 7919 * 512 % end
        total += m[at : at + 1024][0]
    return total


WRITES = 500_000


def random_write(m):
    end = len(m) - 8
    for number in range(WRITES):
        at = number * 7919 * 512 % end
        m[at : at + 8] = b"8 bytes."
    return len(m)


# The work, the access, whether it is done once before, and how many of the unit are in a second.
WORKLOADS = {
    "find": (find, mmap.ACCESS_READ, True, 1e3),
    "lines": (lines, mmap.ACCESS_READ, False, 1e3),
    "slices": (slices, mmap.ACCESS_READ, True, 1e6 / SLICES),
    "random-write": (random_write, mmap.ACCESS_COPY, True, 1e6 / WRITES),
}

work, access, is_warmed, factor = WORKLOADS[sys.argv[1]]
with open(sys.argv[2], "rb") as file, mmap.mmap(file.fileno(), 0, access=access) as mapping:
    if is_warmed:
        work(mapping)
    started = time.perf_counter()
    result = work(mapping)
    took = time.perf_counter() - started
print(json.dumps({"result": result, "amount": took * factor}))
