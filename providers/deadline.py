"""One call in progress: how far it came, and the watch on its time.

A read timeout starts anew with every byte, so a dripping answer would never end. One thread watches
all calls of the process; it is started by the first.
"""

import os
import socket
import threading
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Self

_current = threading.local()


class Exchange:
    """The call that this thread makes, within `seconds` from now; a context manager.

    `dialled` says whether a connection was asked for, `written` whether the request began to
    leave, `expired` whether the time is over. Raises `RuntimeError` if the machine has no thread
    left for the watch.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = monotonic() + seconds
        self.dialled = self.written = self.expired = False
        self._socket: socket.socket | None = None
        _watch.add(self)

    def __enter__(self) -> Self:
        _current.exchange = self
        return self

    def __exit__(self, *_: object) -> None:
        _current.exchange = None
        _watch.remove(self)  # from here on the connection may serve another call

    def writes_to(self, connected: socket.socket | None) -> None:
        """The request is about to leave. Raises `TimeoutError` if the time is over already."""
        with _watch.lock:
            if self.expired:
                raise TimeoutError("connecting took all the time")
            self.written = True
            self._socket = connected

    def expire(self) -> None:
        """End it, whatever it waits for. The watch calls this, and holds its lock."""
        self.expired = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def current_exchange() -> Exchange | None:
    """The call that this thread makes, if it makes one."""
    exchange: Exchange | None = getattr(_current, "exchange", None)
    return exchange


class _Watch:
    """Ends each call whose time is over. It sleeps until one can be, and without end if none is."""

    def __init__(self) -> None:
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget all calls: those of a parent process, whose thread was left behind there."""
        self.lock = threading.Lock()
        self._sooner = threading.Condition(self.lock)
        self._calls: set[Exchange] = set()
        self._wakes_at = inf
        self._is_running = False

    def add(self, call: Exchange) -> None:
        with self.lock:
            if not self._is_running:
                threading.Thread(target=self._run, name="email-deadlines", daemon=True).start()
                self._is_running = True
            self._calls.add(call)
            if call.deadline < self._wakes_at:
                self._sooner.notify()

    def remove(self, call: Exchange) -> None:
        with self.lock:
            self._calls.discard(call)

    def _run(self) -> None:
        with self.lock:
            while True:
                now = monotonic()
                for call in [each for each in self._calls if each.deadline <= now]:
                    self._calls.remove(call)
                    call.expire()
                self._wakes_at = min((each.deadline for each in self._calls), default=inf)
                self._sooner.wait(None if self._wakes_at == inf else self._wakes_at - now)


_watch = _Watch()
os.register_at_fork(after_in_child=_watch.start_afresh)
