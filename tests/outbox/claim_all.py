"""Processes that claim until nothing is due, all at once; prints the ids that they got.

`python -m tests.outbox.claim_all DATABASE_URL`
"""

import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier

from app import create_app
from extensions import db
from outbox.selection import Room
from outbox.tables import Lane
from outbox.turn import take_turn
from testing import TEST_SETTINGS

PROCESSES, THREADS = 4, 4
BATCH = 10  # rows a claim
START_TIMEOUT = 60  # seconds; then a claimer is missing and the race is off

start: Barrier  # all claimers of all processes wait for each other here


def join(barrier: Barrier) -> None:
    """Let a forked process know where the race starts."""
    global start
    start = barrier


def race(url: str) -> list[str]:
    """Claim in all threads of this process; the ids of the rows that they got."""
    app = create_app({**TEST_SETTINGS, "DATABASE_URL": url, "LOG_LEVEL": "ERROR"})
    claimed: list[str] = []
    room = Room(calls=dict.fromkeys(Lane, BATCH))

    def work() -> None:
        with app.app_context():
            start.wait(START_TIMEOUT)
            while batch := take_turn([], [], room).claimed:
                claimed.extend(row.id for job in batch for row in job.rows)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        db.engine.dispose()
    return claimed


if __name__ == "__main__":
    # Forked, so that the app is imported once; each process makes its own app and connections.
    fork = get_context("fork")
    barrier = fork.Barrier(PROCESSES * THREADS)
    with ProcessPoolExecutor(PROCESSES, fork, initializer=join, initargs=(barrier,)) as pool:
        races = [pool.submit(race, sys.argv[1]) for _ in range(PROCESSES)]
    print("\n".join(row for each in races for row in each.result()))  # noqa: T201
