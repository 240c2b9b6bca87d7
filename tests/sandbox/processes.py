"""Real processes of the stand-in partners, started for a test and stopped by it."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30


class Program:
    """`python -m <module>` as a process of its own. Its output is gathered line by line."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.output: list[str] = []
        self._readers = [
            threading.Thread(target=self._gather, args=(stream, keep), daemon=True)
            for stream, keep in ((self.process.stdout, True), (self.process.stderr, False))
        ]
        self.complaints: list[str] = []
        for reader in self._readers:
            reader.start()

    def line_with(self, text: str) -> str:
        """Wait for a line of standard output that holds this text."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"no line with {text!r}: {self.output} {self.complaints}") from None
            if text in line:
                return line

    def finish(self) -> int:
        """Wait for the end. Returns the exit code; `output` is complete then."""
        code = self.process.wait(timeout=PATIENCE_S)
        for reader in self._readers:
            reader.join(timeout=PATIENCE_S)
        return code

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Harmless if it ended already."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.finish()

    def _gather(self, stream, is_output: bool) -> None:
        with stream:
            for line in stream:
                if is_output:
                    self.output.append(line.rstrip("\n"))
                    self.lines.put(line.rstrip("\n"))
                else:
                    self.complaints.append(line.rstrip("\n"))
