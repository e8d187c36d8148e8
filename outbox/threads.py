"""Delivery by threads: one dispatcher and a bounded pool in each serving process."""

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from database import why_unavailable
from outbox.claim import Claimed, claim, release
from outbox.delivery import deliver_claimed, deliver_quarantined
from outbox.housekeeping import run_steps

logger = logging.getLogger(__name__)


class Dispatcher:
    """One thread that claims due rows, and a bounded pool that delivers them.

    It claims at most as many rows as the pool has free slots. With `overdue` it takes only rows
    that somebody else should have delivered that many seconds ago. Once `goes_on` says no, the
    process is about to stop, and nothing more is claimed.
    """

    def __init__(
        self, app: Flask, *, overdue: float = 0, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        self.app = app
        self._goes_on = goes_on
        self.pid = os.getpid()  # a forked child has this object, but not its threads
        self._overdue = overdue
        self._slots: int = app.config["EMAIL_THREADS"]
        self._interval: float = app.config["EMAIL_SWEEP"]
        self._busy = 0
        self._last_sweep = 0.0
        self._changed = threading.Condition()
        self._woken = True
        self._stopping = False
        # Threads of this executor finish their work before the interpreter exits.
        self._pool = ThreadPoolExecutor(self._slots, thread_name_prefix="email")
        self._thread = threading.Thread(target=self._run, name="email-dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look for due rows now rather than at the next sweep."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop_claiming(self) -> None:
        """Take nothing new; what is in flight goes on."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def stop(self) -> None:
        """Claim nothing more, finish what is in flight, and return."""
        self.stop_claiming()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._stopping, self._interval)
                self._woken = False
                if self._is_stopping():
                    return
                free = self._slots - self._busy
            try:
                with self.app.app_context():
                    self._work(free)
            except Exception as error:
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        with self.app.app_context():
            reason = why_unavailable(error)
        if reason is None:
            logger.exception("the dispatcher failed; it tries again in %g s", self._interval)
            return
        logger.error(
            "the dispatcher cannot use the database (%s); it tries again in %g s",
            reason,
            self._interval,
        )

    def _is_stopping(self) -> bool:
        return self._stopping or not self._goes_on()

    def _work(self, free: int) -> None:
        if time.monotonic() - self._last_sweep >= self._interval:
            run_steps()
            while not self._is_stopping() and deliver_quarantined():
                pass
            self._last_sweep = time.monotonic()
        if not free:
            return
        # One slot is kept for emails, however slow the provider's list of subscribers is.
        changes = free - 1 if self._slots > 1 else free
        claims = claim(free, overdue=self._overdue, changes=changes)
        with self._changed:
            self._busy += len(claims)
        for claimed in claims:
            self._hand_over(claimed)

    def _hand_over(self, claimed: Claimed) -> None:
        try:
            self._pool.submit(self._deliver, claimed)
        except RuntimeError:  # the interpreter is going down: another process may have the row
            release(claimed)

    def _deliver(self, claimed: Claimed) -> None:
        try:
            with self.app.app_context():
                deliver_claimed([claimed])
        finally:
            with self._changed:
                self._busy -= 1
            self.wake()
