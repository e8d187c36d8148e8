"""How far a run is: one line that is redrawn on a terminal, a plain line now and then elsewhere."""

import time
from typing import TextIO

WIDTH = 24  # characters of the bar
PLAIN_INTERVAL = 15.0  # seconds between two plain lines
DRAWN_INTERVAL = 0.25
ERASE = "\r\033[K"  # back to the start of the line, and clear it


class Progress:
    """The line of one run, on `stream`."""

    def __init__(self, stream: TextIO, title: str, *, emails: int, kills: int) -> None:
        self._stream = stream
        self._title = title
        self._emails, self._kills = emails, kills
        self._drawn = stream.isatty()
        self._began = time.monotonic()
        self._next = self._began

    def is_due(self) -> bool:
        """Whether it is time for `show`."""
        return time.monotonic() >= self._next

    def show(self, *, accepted: int, finished: int, kills: int) -> None:
        seconds = time.monotonic() - self._began
        self._next = time.monotonic() + (DRAWN_INTERVAL if self._drawn else PLAIN_INTERVAL)
        numbers = (
            f"{accepted}/{self._emails} accepted, {finished} finished, "
            f"{kills}/{self._kills} kills, {seconds:.0f} s"
        )
        if self._drawn:
            bar = ("#" * (WIDTH * finished // self._emails)).ljust(WIDTH, ".")
            self._write(f"{ERASE}{self._title} [{bar}] {numbers}")
        else:
            self._write(f"{self._title} {numbers}\n")

    def end(self, text: str) -> None:
        """Replace the line by what became of the run."""
        self._write(f"{ERASE if self._drawn else ''}{self._title} {text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
