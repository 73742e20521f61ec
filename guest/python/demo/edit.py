import mmap
import re
import sys

from wit_world import exports


class Run(exports.Run):
    def run(self):
        if len(sys.argv) != 4:
            sys.exit("usage: edit FILE PATTERN REPLACEMENT")
        path, pattern, replacement = sys.argv[1:]
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as text:
            found = 0
            for match in re.finditer(pattern.encode(), text):
                start, end = match.span()
                text.seek(text.rfind(b"\n", 0, start) + 1)
                print(text.readline().decode().rstrip())
                text[start:end] = replacement.encode()[: end - start].ljust(end - start)
                found += 1
            text.flush()
            print(f"{found} places in {len(text)} bytes")
