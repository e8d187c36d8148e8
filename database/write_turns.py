"""Writers of one SQLite file take turns: first come, first served, on the whole machine.

Left to itself SQLite lets who meets another writer sleep and try again, ever more rarely, while
those who come later slip in: under load some wait for a second where most wait for a millisecond.
So the threads of a process queue here, and who stands first waits for the other processes at a
lock file beside the database.
"""

import os
import sys
import time
from collections import deque
from contextlib import suppress
from threading import Event, RLock

from database.private_files import create_private

if sys.platform != "win32":
    import fcntl

# Bytes of the lock file. Who waits for the turn holds the first, so that a process with many
# writers, which could take the second again at once, has to stand behind it.
_NEXT, _NOW = 0, 1
_LONGEST_PAUSE, _SHORTEST_PAUSE = 0.01, 0.0002  # seconds


class WriteTurn:
    """The right to write to the database at `path`, until `end`. Any thread may end it.

    Raises `TimeoutError` if it does not come within `seconds`.
    """

    def __init__(self, path: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._queue = _queues.get(path) or _queues.setdefault(path, _Queue())
        self._place = self._queue.enter(seconds)
        try:
            self._file = _locked_file(f"{path}.lock", until)
        except BaseException:
            self._queue.leave(self._place)
            raise

    def end(self) -> None:
        """Let the next one write."""
        if self._file is not None:
            os.close(self._file)  # which unlocks it, as the death of the process does
        self._queue.leave(self._place)


class _Queue:
    """Those in this process who want to write to one file; the first of them may."""

    def __init__(self) -> None:
        self.places: deque[Event] = deque()  # each is set once it is the first
        self._changing = (
            RLock()
        )  # a connection that nobody holds any more may end its turn anywhere

    def enter(self, seconds: float) -> Event:
        place, came = Event(), False
        with self._changing:
            self.places.append(place)
            self.places[0].set()
        try:
            came = place.wait(seconds)
        finally:
            if not came:
                self.leave(place)
        if not came:
            raise TimeoutError
        return place

    def leave(self, place: Event) -> None:
        with self._changing:
            self.places.remove(place)
            if self.places:
                self.places[0].set()


_queues: dict[str, _Queue] = {}
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_queues.clear)  # the threads that stood there are not here


def _locked_file(path: str, until: float) -> int | None:
    """The lock file, ours for now. None where there are no such files: SQLite's lock is left."""
    if sys.platform == "win32":
        return None
    try:
        file = _opened(path)
    except OSError:
        return None
    try:
        _lock(file, _NEXT, until)
        _lock(file, _NOW, until)
        fcntl.lockf(file, fcntl.LOCK_UN, 1, _NEXT)
    except BaseException:
        os.close(file)
        raise
    return file


def _opened(path: str) -> int:
    with suppress(FileNotFoundError):
        return os.open(path, os.O_RDWR)
    with suppress(FileExistsError):  # another process was faster
        return create_private(path)
    return os.open(path, os.O_RDWR)


def _lock(file: int, byte: int, until: float) -> None:
    """Wait for one byte of the lock file. The system's own wait could not be given an end.

    So it is asked again and again, by one thread of each process at a time, at moments that cost
    the waiter at most a twentieth more than it had to wait.
    """
    began = time.monotonic()
    while True:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            return
        except (BlockingIOError, PermissionError):  # either may mean that somebody has it
            now = time.monotonic()
        except OSError:
            return  # this file system has no locks
        if now >= until:
            raise TimeoutError
        time.sleep(min(max((now - began) / 20, _SHORTEST_PAUSE), _LONGEST_PAUSE))
