"""Delivering some rows at once, in the calling thread: the request itself, or one row alone."""

import time
from collections.abc import Sequence

from flask import current_app

from database import now, transaction, why_unavailable
from outbox.halving import take_turn_or_halves
from outbox.jobs import Job
from outbox.kinds import call
from outbox.selection import Room, quarantined_wait
from outbox.shared_lock import SharedLock
from outbox.turn import Turn, prepare

PAUSE = 0.5  # seconds between tries while the database is away
PATIENCE = 3.0  # seconds of them before a call; one that was not made costs nothing

lock = SharedLock()
"""Whoever calls providers in this process shares it; a quarantined row has it for itself."""


def deliver(*ids: str) -> int:
    """Claim these rows and send them now, one after the other; how many were due and free."""
    with lock.shared():
        return sum(_deliver(Room.for_one(row_id)) for row_id in ids)


def deliver_quarantined() -> bool:
    """Deliver one row with which a worker died, while nothing else is in flight here.

    If this process dies too, it was that row. False if no such row is due.
    """
    with transaction() as session:
        wait = quarantined_wait(session, now(session))
    if wait != 0:
        return False  # asked first, because being alone holds everybody up
    with lock.exclusive():
        return bool(_deliver(Room.for_one(quarantined=True)))


def _deliver(room: Room) -> int:
    claimed = take_turn_or_halves([], [], room).claimed
    finish(claimed)
    return len(claimed)


def finish(claimed: Sequence[Job]) -> None:
    """Take claimed jobs to their outcome, in the calling thread."""
    waiting = prepare(claimed)
    while waiting:
        answered = [job for job in waiting if job.answers]
        waiting = _turn(answered, [job for job in waiting if not job.answers]).started
        for job in waiting:
            call(job)


def _turn(ended: Sequence[Job], built: Sequence[Job]) -> Turn:
    """A turn. What a provider answered is kept until the database takes it.

    At the latest until its lease is far over: somebody else has settled the row by then.
    """
    answered = any(job.attempts for job in ended)
    patience = 2 * current_app.config["EMAIL_LEASE"] if answered else PATIENCE
    ends = time.monotonic() + patience
    while True:
        try:
            return take_turn_or_halves(ended, built, None)
        except Exception as error:
            if not why_unavailable(error) or time.monotonic() > ends:
                raise
            time.sleep(PAUSE)
