"""How many requests a vendor takes of one API key: so many in a window of time that slides."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """At most `limit` requests within any `seconds`."""

    limit: int
    seconds: float


@dataclass(frozen=True)
class Room:
    """What the first window still takes; above 0, `wait` is how long the key is refused."""

    remaining: int
    wait: float = 0.0  # seconds


class Rates:
    """The requests of each key that were let through, lately; unless `enforced` nobody is refused.

    A request that is refused takes no room. For any number of threads.
    """

    def __init__(
        self, *, enforced: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._enforced, self._clock = enforced, clock
        self._lock = threading.Lock()
        self.clear()

    def take(self, provider: str, key: str, windows: Sequence[Window]) -> Room:
        """Room for one request, if there is any. Without windows there always is."""
        if not windows:
            return Room(remaining=0)
        if not self._enforced:
            return Room(remaining=windows[0].limit - 1)
        with self._lock:
            now = self._clock()
            taken = self._taken.setdefault((provider, key), deque())
            while taken and taken[0] <= now - max(window.seconds for window in windows):
                taken.popleft()
            wait = max(_wait(window, taken, now) for window in windows)
            if not wait:
                taken.append(now)
            first = windows[0]
            used = sum(moment > now - first.seconds for moment in taken)
            return Room(remaining=first.limit - used, wait=wait)

    def clear(self) -> None:
        with self._lock:
            self._taken: dict[tuple[str, str], deque[float]] = {}


def _wait(window: Window, taken: Sequence[float], now: float) -> float:
    if len(taken) < window.limit:
        return 0.0
    return max(0.0, taken[-window.limit] + window.seconds - now)
