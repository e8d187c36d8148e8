"""How far a part is: a line that is redrawn on a terminal, a plain one now and then elsewhere."""

import time
from typing import TextIO

WIDTH = 24  # characters of the bar
PLAIN_INTERVAL = 15.0  # seconds between two plain lines
ERASE = "\r\033[K"  # back to the start of the line, and clear it


class Progress:
    """The line of one part, on `stream`; `steps` are those of all its rounds."""

    def __init__(self, stream: TextIO, title: str) -> None:
        self._stream, self._title = stream, title
        self._drawn = stream.isatty()
        self._done, self._steps = 0, 0
        self._began = time.monotonic()
        self._next = self._began

    def expect(self, steps: int) -> None:
        """So many steps more are to come."""
        self._steps += steps

    def step(self) -> None:
        self._done += 1

    def show(self, what: str) -> None:
        """Say what is going on."""
        if not self._drawn and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PLAIN_INTERVAL
        bar = ("#" * (WIDTH * self._done // max(1, self._steps))).ljust(WIDTH, ".")
        line = f"{self._title} [{bar}] {self._elapsed()} {what}"
        self._write(f"{ERASE}{line[:110]}" if self._drawn else f"{line}\n")

    def end(self) -> None:
        """Replace the line by how long it took."""
        self._write(f"{ERASE if self._drawn else ''}{self._title}: {self._elapsed()}\n")

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.0f} s"

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
