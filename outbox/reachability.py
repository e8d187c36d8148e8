"""What this process alone cannot reach: DNS, a refused connection, TLS.

Its own network may be the one that is broken, so no other process is told.
"""

import logging
import threading
import time

from attrs import define, field
from flask import Flask, current_app

from errors import EmailSendError
from log_setup import mask

logger = logging.getLogger(__name__)

THRESHOLD = 5  # faults in a row after which a provider is left alone
SHORTEST_OPEN, LONGEST_OPEN = 10.0, 60.0  # seconds; doubles with each further fault


def open_for(failures: int) -> float:
    """For how many seconds a provider is left alone after so many faults in a row."""
    doubled = SHORTEST_OPEN * 2 ** max(0, min(failures - THRESHOLD, 10))
    return float(min(LONGEST_OPEN, doubled))


@define
class _Misses:
    count: int = 0
    closed_until: float = 0.0  # of the monotonic clock


@define
class Reachability:
    """What this process alone could not reach. Closed for a while after some misses in a row."""

    _misses: dict[str, _Misses] = field(factory=dict)
    _lock: threading.Lock = field(factory=threading.Lock)

    def closed_for(self, name: str) -> float:
        """For how many seconds this process leaves the provider alone; 0 if it does not."""
        misses = self._misses.get(name)
        return max(0.0, misses.closed_until - time.monotonic()) if misses else 0.0

    def is_doubtful(self, name: str) -> bool:
        """Whether one call is enough to see if the provider is in reach again."""
        misses = self._misses.get(name)
        return misses is not None and misses.count >= THRESHOLD

    def missed(self, name: str, error: EmailSendError) -> None:
        """A call did not reach the provider."""
        with self._lock:
            misses = self._misses.setdefault(name, _Misses())
            misses.count += 1
            if misses.count < THRESHOLD:
                return
            pause = open_for(misses.count)
            misses.closed_until = time.monotonic() + pause
        logger.warning(
            "provider %s cannot be reached from here (%s); this process tries again in %.0f s",
            name, mask(str(error)), pause,
        )  # fmt: skip

    def reached(self, name: str) -> None:
        """A call got an answer."""
        if name in self._misses:
            with self._lock:
                self._misses.pop(name, None)


def init_app(app: Flask) -> None:
    """Begin with every provider in reach."""
    app.extensions["reachability"] = Reachability()


def reachability() -> Reachability:
    """What this process could not reach of late."""
    found: Reachability = current_app.extensions["reachability"]
    return found
