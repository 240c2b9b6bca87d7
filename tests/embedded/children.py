"""Small real programs for the supervisor's tests: each behaves as badly as its name says."""

import sys
from pathlib import Path

from embedded.process import Spec

LISTEN = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    connection, _ = server.accept()
    connection.close()
"""

HANG_ON_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    time.sleep(1)
"""

COUNT_AND_DIE = """
import os, pathlib, sys, time
counter = pathlib.Path(sys.argv[1])
count = int(counter.read_text() or 0) if counter.exists() else 0
counter.write_text(str(count + 1))
print(f"life {count + 1}", flush=True)
if count < int(sys.argv[2]):
    time.sleep(float(sys.argv[3]))
    sys.exit(7)
while True:
    time.sleep(1)
"""

LEAVE_A_CHILD = """
import subprocess, sys, pathlib, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
child = subprocess.Popen(sleep, start_new_session=sys.argv[2] == "away")
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
print("left one", flush=True)
while True:
    time.sleep(1)
"""

NOTE_THE_END = """
import pathlib, signal, sys, time
def end(number, frame):
    with open(sys.argv[1], "a") as file:
        file.write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("noting", flush=True)
while True:
    time.sleep(1)
"""

SLEEP = "import time\nwhile True: time.sleep(1)"


def spec(name: str, code: str, *arguments: object, **fields: object) -> Spec:
    """A row of the table that runs `code`."""
    argv = (sys.executable, "-c", code, *(str(argument) for argument in arguments))
    return Spec(name, argv, **fields)  # type: ignore[arg-type]


def has_lines(path: Path, count: int) -> bool:
    """Whether a file has at least `count` lines."""
    return path.exists() and len(path.read_text().splitlines()) >= count
