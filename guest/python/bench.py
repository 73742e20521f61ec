"""Measure `mmap` in a plugin against Python's own alternatives, on a file of 256 MiB: bench.py FOLDER.

Prints a JSON object for each measurement. `ours` and `peer` are medians in `unit`, and `ratio` is ours / peer.
"""

import json
import mmap
import os
import random
import statistics
import sys
import time

MIB = 1 << 20
SIZE = 256 * MIB
ROUNDS = 7
NEEDLE = b"the needle, which stands at the end alone"


def lines(generator, size):
    """Return text of this length, in lines of 20 to 100 letters."""
    text = bytearray()
    while len(text) < size:
        text += bytes(generator.choices(b"abcdefghijklmnopqrstuvwxyz ", k=generator.randrange(20, 100))) + b"\n"
    return bytes(text[:size])


def write_file(path):
    generator = random.Random(6)
    blocks = [lines(generator, MIB // 4) for _ in range(4)]
    with open(path, "wb") as file:
        for _ in range(SIZE // MIB):
            generator.shuffle(blocks)
            file.write(b"".join(blocks))
        file.seek(-len(NEEDLE), os.SEEK_END)
        file.write(NEEDLE)


def report(name, unit, scale, ours, peer, peer_name):
    """Measure two alternatives by turns, and print the medians."""
    times = ([], [])
    for _ in range(ROUNDS):
        for way, measured in zip((ours, peer), times):
            started = time.perf_counter()
            way()
            measured.append((time.perf_counter() - started) * scale)
    ours, peer = (statistics.median(measured) for measured in times)
    figures = {"ours": round(ours, 4), "peer": round(peer, 4), "peer_name": peer_name, "unit": unit}
    print(json.dumps({"name": name} | figures | {"ratio": round(ours / peer, 3)}), flush=True)


def bulk(mapping, file):
    def slices():
        for at in range(0, SIZE, MIB):
            mapping[at : at + MIB]

    def reads():
        file.seek(0)
        for _ in range(0, SIZE, MIB):
            file.read(MIB)

    report("slice of 1 MiB", "ms", 1e3 * MIB / SIZE, slices, reads, "file.read(1 MiB)")

    file.seek(0)
    content = file.read()
    assert mapping.find(NEEDLE, 0) == content.find(NEEDLE) == mapping.rfind(NEEDLE, 0) == SIZE - len(NEEDLE)
    report("find over 256 MiB", "ms", 1e3, lambda: mapping.find(NEEDLE, 0), lambda: content.find(NEEDLE), "bytes.find")
    first = content[: len(NEEDLE)] + b"\0"
    report(
        "rfind over 256 MiB", "ms", 1e3, lambda: mapping.rfind(first, 0), lambda: content.rfind(first), "bytes.rfind"
    )

    target = bytearray(content[: 16 * MIB])

    def move():
        target[MIB:] = target[:-MIB]

    report("move of 15 MiB", "ms", 1e3, lambda: mapping.move(MIB, 0, 15 * MIB), move, "bytearray slices")


def calls(mapping, file):
    count = 20_000
    per_call = 1e6 / count

    def repeated(call, *arguments):
        def run():
            mapping.seek(0)
            file.seek(0)
            for _ in range(count):
                call(*arguments)

        return run

    content = mapping[:MIB]
    report("readline", "us", per_call, repeated(mapping.readline), repeated(file.readline), "file.readline")
    report("m[i]", "us", per_call, repeated(mapping.__getitem__, 4096), repeated(content.__getitem__, 4096), "bytes[i]")
    report("read_byte", "us", per_call, repeated(mapping.read_byte), repeated(file.read, 1), "file.read(1)")
    part = slice(4096, 4196)
    report(
        "m[i:i+100]",
        "us",
        per_call,
        repeated(mapping.__getitem__, part),
        repeated(content.__getitem__, part),
        "bytes[i:j]",
    )


def main(folder):
    path = os.path.join(folder, "bench.bin")
    write_file(path)
    try:
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
            bulk(mapping, file)
            calls(mapping, file)
    finally:
        os.unlink(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
