"""What the supervisor shows: prefixed lines of every process, its own voice, and on a terminal a status line."""

import shutil
import sys
from collections.abc import Iterable
from typing import IO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)  # ANSI foreground colours, readable on light and dark
CLEAR_LINE = "\r\033[K"


class Console:
    """Writes to `stream`; colours and the status line only where a person looks at a terminal."""

    def __init__(self, names: Iterable[str], *, voice: str = "throughline", stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty()
        self.voice = voice
        self.names = [voice, *names]
        self.width = max(len(name) for name in self.names)
        self.shown = ""

    def line(self, name: str, text: str) -> None:
        """One line of a process's output, or of our own voice."""
        prefix = f"{name:<{self.width}} |"
        if self.terminal:
            colour = COLOURS[self.names.index(name) % len(COLOURS)]
            self.write(f"{CLEAR_LINE}\033[{colour}m{prefix}\033[0m {text}\n{self.shown}")
        else:
            self.write(f"{prefix} {text}\n")

    def say(self, text: str) -> None:
        """Something that the supervisor itself has to tell, line by line."""
        for line in text.splitlines():
            self.line(self.voice, line)

    def status(self, text: str) -> None:
        """Replace the status line at the bottom of a terminal; elsewhere nothing is shown."""
        text = text[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be cleared again
        if self.terminal and text != self.shown:
            self.shown = text
            self.write(CLEAR_LINE + text)

    def write(self, text: str) -> None:
        """Write at once; a reader who went away (`make demo | head`) must not stop the processes' clean end."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            pass
