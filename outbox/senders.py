"""The threads that call providers. They touch no database."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from flask import Flask

from outbox.delivery import lock
from outbox.jobs import Job
from outbox.kinds import call
from outbox.tables import Lane


class Senders:
    """At most `slots` calls at once, the first lane first; `on_ended` gets each job back.

    One slot is kept for transactional emails where there are two or more, however slow the others.
    """

    def __init__(self, app: Flask, slots: int, on_ended: Callable[[Job], None]) -> None:
        self._app, self._on_ended = app, on_ended
        self._waiting: dict[Lane, deque[Job]] = {lane: deque() for lane in Lane}
        self._calling: Counter[Lane] = Counter()
        self._most_others = max(1, slots - 1)
        self._changed = threading.Lock()
        # Threads of this executor finish their work before the interpreter exits.
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="email")

    def put(self, job: Job) -> None:
        """Call it as soon as a thread is free. Raises `RuntimeError` once the interpreter exits."""
        jobs = self._waiting[Lane.TRANSACTIONAL if job.urgent else job.lane]
        with self._changed:
            jobs.append(job)
        try:
            self._pool.submit(self._work)
        except RuntimeError:
            with self._changed:
                if job not in jobs:
                    return  # a thread that was free has taken it
                jobs.remove(job)
            raise

    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return sum(len(jobs) for jobs in self._waiting.values())

    def close(self) -> None:
        """Finish what is in flight."""
        self._pool.shutdown(wait=True)

    def _work(self) -> None:
        with self._app.app_context():
            while job := self._take():
                try:
                    with lock.shared():
                        call(job)
                finally:
                    with self._changed:
                        self._calling[job.lane] -= 1
                    self._on_ended(job)

    def _take(self) -> Job | None:
        with self._changed:
            others = self._calling.total() - self._calling[Lane.TRANSACTIONAL]
            for jobs in self._waiting.values():
                for job in jobs:
                    if job.lane is Lane.TRANSACTIONAL or others < self._most_others:
                        jobs.remove(job)
                        self._calling[job.lane] += 1
                        return job
            return None
