"""Taking due rows for this process, lane by lane, so that no two processes hold the same one."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import evolve, field, frozen
from flask import current_app
from sqlalchemy import bindparam, update
from sqlalchemy.orm import Session

from extensions import email
from message import new_id
from outbox import breaker, lanes
from outbox.breaker import Availability, States
from outbox.jobs import OURSELVES, Held, Job
from outbox.kinds import kind_of_row
from outbox.selection import Budget, Room, due_rows
from outbox.settling import settle
from outbox.states import check_move
from outbox.tables import OUTBOX, Lane, State

ROWS_A_TURN = 200  # so that a turn does not hold SQLite's write lock for long
BYTES_A_BATCH = 8 * 1024 * 1024
_SENDING = update(OUTBOX).values(
    state=State.SENDING,
    lease_token=bindparam("lease_token"),
    lease_until=bindparam("lease_until"),
    calling_since=None,
)
_LEASE = _SENDING.where(OUTBOX.c.id.in_(bindparam("ids", expanding=True)))
_LEASE_MEMBERS = _SENDING.where(
    OUTBOX.c.batch_id.in_(bindparam("ids", expanding=True)),
    OUTBOX.c.state.in_((State.QUEUED, State.SENDING)),
)


@frozen
class Claim:
    """The jobs that are ours now. `more` says that there may be others that found no room.

    `settled` rows were due and needed no call, so that more may be due as well.
    """

    jobs: list[Job] = field(factory=list)
    more: bool = False
    settled: int = 0


def claim(session: Session, states: States, room: Room, moment: datetime) -> Claim:
    """Lease due rows and give each its provider, within the permits of its rate.

    Rows that expired or whose recipients are suppressed are settled in the same transaction and
    not returned. Nothing is claimed of a lane that is paused, and while no provider may be called
    nothing but steps.
    """
    steps = _claim_steps(session, room, moment)
    calls = Claim()
    if not (room.quarantined and steps.jobs):  # of those one goes out, whatever its lane
        calls = _claim_calls(session, states, room, moment)
    jobs = steps.jobs + calls.jobs
    _lease(session, jobs)
    return Claim(jobs, steps.more or calls.more, calls.settled)


def _claim_steps(session: Session, room: Room, moment: datetime) -> Claim:
    limit = room.calls.get(Lane.STEPS, 0)
    if limit <= 0:
        return Claim(more=True)
    found = due_rows(session, Lane.STEPS, limit, Budget(Availability({}, None)), room, moment)
    token, until, deadline = _new_lease(moment)
    jobs = [
        Job(kind_of_row(row.task), Lane.STEPS, OURSELVES, token, until, deadline, [row])
        for row in found
    ]
    return Claim(jobs, more=len(found) >= limit)


def _claim_calls(session: Session, states: States, room: Room, moment: datetime) -> Claim:
    budget = Budget(breaker.availability(states, moment))
    if not budget.available.any:
        return Claim()
    going = [lane for lane in lanes.going(session) if lane is not Lane.STEPS]
    jobs: list[Job] = []
    more = False
    if room.owed and room.calls.get(Lane.MARKETING, 0) > 0 and Lane.MARKETING in going:
        jobs = _claim_lane(session, Lane.MARKETING, 1, budget, room, moment).jobs
        for job in jobs:
            job.urgent = True
    for lane in going:
        if not (budget.usable() or budget.available.probe) or (room.quarantined and jobs):
            break  # of the quarantined one goes out, whatever its lane
        calls = room.calls.get(lane, 0)
        got = Claim(more=True)  # where there is no room, nobody knows
        if calls > 0:
            got = _claim_lane(session, lane, calls, budget, room, moment)
        jobs += got.jobs
        more = more or got.more
        if got.more and (calls > 0 or lane is Lane.TRANSACTIONAL):
            break  # what comes after it waits
    breaker.take_permits(states, budget.used, moment)
    return Claim(jobs, more and bool(budget.usable()), budget.settled)


def _claim_lane(
    session: Session, lane: Lane, calls: int, budget: Budget, room: Room, moment: datetime
) -> Claim:
    limit = _row_limit(lane, calls, budget)
    found = due_rows(session, lane, limit, budget, room, moment)
    rows = settle(session, found, moment)
    budget.settled += len(found) - len(rows)
    token, until, deadline = _new_lease(moment)
    jobs: list[Job] = []
    batches: dict[str, Job] = {}
    probe = budget.available.probe
    for row in rows:
        provider = _choose(session, row, lane, budget, batches, moment)
        if provider is None:
            continue
        batch = batches.get(provider)
        if batch and _may_batch(row, provider):
            batch.rows.append(row)
            if not _has_room(batch):
                del batches[provider]
        elif len(jobs) < calls and (budget.left(provider) > 0 or provider == probe):
            budget.take(provider)
            job = Job(kind_of_row(row.task), lane, provider, token, until, deadline, [row])
            job.unpaused, job.probes = budget.available.permits, provider == probe
            jobs.append(job)
            if _may_batch(row, provider):
                batches[provider] = job
    return Claim([_finished(job) for job in jobs], more=len(found) >= limit)


def _new_lease(moment: datetime) -> tuple[str, datetime, float]:
    """Its token, and until when it lasts: by the database's clock, and by this process's."""
    lease: float = current_app.config["EMAIL_LEASE"]
    return new_id(), moment + timedelta(seconds=lease), time.monotonic() + lease


def _row_limit(lane: Lane, calls: int, budget: Budget) -> int:
    """How many rows so many calls may carry."""
    first = budget.available.first
    batched = first is not None and lane is not Lane.CHANGES
    most = calls * _batch_size(first) if batched and first else calls
    return min(most, max(calls, ROWS_A_TURN))


def _choose(
    session: Session,
    row: Held,
    lane: Lane,
    budget: Budget,
    batches: Mapping[str, Job],
    moment: datetime,
) -> str | None:
    """The provider for this row: with a permit left, or a batch that may take it; None if none."""
    usable, probe, chain = {*budget.usable(), *batches}, budget.available.probe, email.chain
    wanted = row.only_provider if row.only_provider in chain else None
    if wanted is None and row.provider in usable:
        return row.provider
    meant = [*budget.for_all, probe]
    possible = [wanted] if wanted else [name for name in chain if name in meant]
    for name in possible:
        if name in usable:
            return name
        # One call is enough to learn whether it is back, and a change of a subscriber is no probe.
        probes = name == probe and lane is not Lane.CHANGES and not budget.used.get(name)
        if probes and breaker.begin_probe(session, name, moment):
            return name
    return None


def _batch_size(provider: str) -> int:
    if not current_app.config["EMAIL_BATCH"]:
        return 1
    return email.provider(provider).capabilities.max_batch


def _may_batch(row: Held, provider: str) -> bool:
    return not row.single and row.may_move and row.task == "email" and _batch_size(provider) > 1


def _has_room(job: Job) -> bool:
    full = len(job.rows) >= _batch_size(job.provider)
    return not full and sum(each.size for each in job.rows) < BYTES_A_BATCH


def _finished(job: Job) -> Job:
    """A lone email never waits for company, and is no batch."""
    if len(job.rows) > 1:
        return evolve(job, kind=kind_of_row("batch"), batch_id=new_id())
    return job


def _lease(session: Session, jobs: list[Job]) -> None:
    if not jobs:
        return
    check_move(State.QUEUED, State.SENDING)
    for token in {job.token for job in jobs}:
        mine = [job for job in jobs if job.token == token]
        rows = [row for job in mine for row in job.rows]
        lease = {"lease_token": token, "lease_until": mine[0].lease_until}
        session.connection().execute(_LEASE, {"ids": [row.id for row in rows], **lease})
        if batches := [row.id for row in rows if row.task == "batch"]:
            session.connection().execute(_LEASE_MEMBERS, {"ids": batches, **lease})
