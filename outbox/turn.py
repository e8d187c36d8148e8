"""One turn of the engine: outcomes, starts and claims of many rows in one transaction.

record the outcomes of calls that ended
start the rows whose bytes are built        committed before any call
claim due rows                              narrow columns only
then, outside: read the bodies of what was claimed, and build
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field
from sqlalchemy import BindParameter, bindparam, select
from sqlalchemy.orm import Session

from database import now, transaction, why_unavailable
from errors import EmailSendError
from outbox import batches, breaker, recording
from outbox.breaker import States
from outbox.claim import claim
from outbox.due import next_moment
from outbox.jobs import Job
from outbox.recording import Recorded
from outbox.selection import Room
from outbox.starting import Current, start
from outbox.tables import BODIES, OUTBOX

logger = logging.getLogger(__name__)

BYTES_AT_ONCE = 8 * 1024 * 1024  # of bodies that are read by one statement
_CURRENT = [
    OUTBOX.c[name]
    for name in (
        "id", "state", "lease_token", "calling_since", "delivery_status", "accepted_at",
        "provider_message_id", "single", "batch_id",
    )
]  # fmt: skip

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_LOCK = select(*_CURRENT).where(OUTBOX.c.id.in_(_IDS)).order_by(OUTBOX.c.id).with_for_update()
_BODIES = select(BODIES.c.id, BODIES.c.message).where(BODIES.c.id.in_(_IDS))


@define
class Turn:
    """What came of one turn.

    `ended` are the jobs whose answers are on record now, `told` what was decided about each row.
    `more` says that rows are due for which there was no room. `pause` is in how many seconds the
    next row or permit is due; None if none is in sight.
    """

    ended: list[Job] = field(factory=list)
    told: list[Recorded] = field(factory=list)
    started: list[Job] = field(factory=list)
    claimed: list[Job] = field(factory=list)
    more: bool = False
    pause: float | None = None


def take_turn(ended: Sequence[Job], built: Sequence[Job], room: Room | None) -> Turn:
    """Record `ended`, start `built` and claim what `room` allows, in one transaction.

    Raises what the database raises; then nothing of it happened, and it may be tried again.
    """
    turn = Turn()
    with transaction() as session:
        current = _lock(session, [*ended, *built])
        takes_permits = room is not None or any(job.calls > 1 for job in ended)
        states = breaker.load_states(session, lock=takes_permits)
        moment = now(session)
        turn.started = start(session, built, current, moment) if built else []
        turn.ended = [*ended, *(job for job in built if job.answers)]
        turn.told = recording.record(session, turn.ended, current, states, moment)
        if room is not None:
            claimed = claim(session, states, room, moment)
            turn.claimed, turn.more = claimed.jobs, claimed.more
            turn.pause = None if turn.more else _pause(session, states, moment)
            if claimed.settled:
                turn.pause = 0.0
    recording.log(turn.told)
    return turn


def prepare(jobs: Iterable[Job]) -> list[Job]:
    """Read what the jobs send and build it; those that cannot be called have their answers.

    Raises what the database raises while it is away.
    """
    built: list[Job] = []
    for some in _by_size(jobs):
        _read(some)
        for job in some:
            built += _built(job)
    return built


def _read(jobs: list[Job]) -> None:
    """What the jobs send. One whose body cannot be read costs itself only."""
    try:
        with transaction() as session:
            _read_bodies(session, jobs)
    except Exception as error:
        if why_unavailable(error):
            raise
        if len(jobs) > 1:
            for job in jobs:
                _read([job])
            return
        logger.exception("%s: its body could not be read", jobs[0].rows[0].id)
        jobs[0].answer_all(_broken(jobs[0], error))


def _built(job: Job) -> list[Job]:
    if job.answers:
        return [job]
    try:
        jobs = list(job.kind.prepare(job))
    except Exception as error:
        logger.exception("%s: it could not be built for %s", job.rows[0].id, job.provider)
        job.answer_all(_broken(job, error))
        jobs = [job]
    for each in jobs:
        each.stored = []  # bodies are large
    return jobs


def _broken(job: Job, error: Exception) -> EmailSendError:
    """An error of ours before any call. There may be memory again later."""
    words = f"{type(error).__name__}: {error}"
    return EmailSendError(words, provider=job.provider, retryable=isinstance(error, MemoryError))


def _pause(session: Session, states: States, moment: datetime) -> float | None:
    both = (next_moment(session, moment), breaker.availability(states, moment).opens_at)
    times = [at for at in both if at]
    return (min(times) - moment).total_seconds() if times else None


def _lock(session: Session, jobs: Sequence[Job]) -> Current:
    """The rows of all jobs as they stand, locked in the order of their ids, as everybody does."""
    ids = list({row_id for job in jobs for row_id in job.ids})
    if not ids:
        return {}
    return {row.id: row for row in session.connection().execute(_LOCK, {"ids": ids})}


def _by_size(jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Groups whose bodies are not too large together. One that is too large is alone."""
    group: list[Job] = []
    total = 0
    for job in jobs:
        size = sum(row.size for row in job.rows)
        if group and total + size > BYTES_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(job)
        total += size
    if group:
        yield group


def _read_bodies(session: Session, jobs: Sequence[Job]) -> None:
    for job in jobs:
        if job.rows and job.rows[0].task == "batch":
            _take_members(session, job)
    ids = [row_id for job in jobs for row_id in job.ids]
    stored = dict(session.connection().execute(_BODIES, {"ids": ids}).all())
    for job in jobs:
        if job.batch:
            job.batch_hash = stored.get(job.batch.id, {}).get("hash")
        if any(row.id not in stored for row in job.rows):
            job.answer_all(EmailSendError("its body is gone"))
        else:
            job.stored = [stored[row.id] for row in job.rows]


def _take_members(session: Session, job: Job) -> None:
    """A batch that is to be repeated: its emails take the place of its own row."""
    [job.batch] = job.rows
    job.batch_id = job.batch.id
    job.rows = batches.members(session, job.batch_id)
    if not job.rows:  # everybody was forgotten
        batches.remove(session, job.batch_id, now(session))
