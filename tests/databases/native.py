# The native process beside a plugin, with the SQLite that comes with Python:
#
#     native.py sql FILE SQL...                        executes statements and prints rows
#     native.py write FILE PRAGMAS WRITER FIRST COUNT  commits transactions, as `sqlite.c` does
#     native.py hold FILE SQL...                       executes statements, and keeps the file open until its input ends

import random
import sqlite3
import sys
import time


def execute(database, statements):
    for statement in statements:
        for row in database.execute(statement):
            print("|".join("NULL" if value is None else str(value) for value in row))
    sys.stdout.flush()


def write(database, pragmas, writer, first, count):
    for pragma in filter(None, pragmas.split(";")):
        database.execute(pragma)
    for number in range(int(first), int(first) + int(count)):
        database.execute("begin immediate")
        database.execute("update counter set total = total + 1")
        database.execute(
            "insert into log values (?, ?, randomblob(?))", (int(writer), number, random.randrange(100, 1000))
        )
        if number % 50 == 49:
            database.execute("delete from junk")
            database.execute("insert into junk select randomblob(2000) from log limit 20")
        database.execute("commit")
        print(number, flush=True)
        time.sleep(0.0003 * (number % 4))


what, file, *arguments = sys.argv[1:]
database = sqlite3.connect(file, timeout=60, isolation_level=None)
if what == "write":
    write(database, *arguments)
else:
    execute(database, arguments)
    if what == "hold":
        sys.stdin.read()
database.close()
