"""Taking due rows for this process, lane by lane, so that no two processes hold the same one.

What another host made is left alone (see outbox/hosts.py).
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from attrs import define, evolve, field, frozen
from flask import current_app
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from extensions import email
from message import new_id
from outbox import breaker, lanes
from outbox.breaker import Availability, States
from outbox.jobs import OURSELVES, Held, Job
from outbox.kinds import kind_of_row, known_tasks
from outbox.settling import settle
from outbox.states import check_move
from outbox.tables import OUTBOX, QUARANTINED, Lane, State, in_state, own_host

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
NARROW = [OUTBOX.c[name] for name in Held.__annotations__]


@frozen(kw_only=True)
class Room:
    """How much may be claimed: `calls` for each lane, the first lane first.

    `ids` restricts it to some rows, `overdue` to those that have been due for so many seconds.
    `owed` says that marketing has waited long enough behind the others for one call.
    """

    calls: Mapping[Lane, int]
    ids: Sequence[str] | None = None
    overdue: float = 0
    quarantined: bool = False
    owed: bool = False

    @classmethod
    def for_one(cls, *ids: str, quarantined: bool = False) -> "Room":
        """Room for one call, in whatever lane."""
        return cls(calls=dict.fromkeys(Lane, 1), ids=ids or None, quarantined=quarantined)


@define
class _Budget:
    """What is left of the permits while rows are handed to providers."""

    available: Availability
    used: dict[str, int] = field(factory=dict)
    settled: int = 0  # rows that needed none

    def left(self, name: str) -> int:
        return self.available.permits.get(name, 0) - self.used.get(name, 0)

    def take(self, name: str) -> None:
        self.used[name] = self.used.get(name, 0) + 1

    def usable(self) -> list[str]:
        return [name for name in self.available.permits if self.left(name) > 0]


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
    found = _due(session, Lane.STEPS, limit, _Budget(Availability({}, None)), room, moment)
    token, until, deadline = _new_lease(moment)
    jobs = [
        Job(kind_of_row(row.task), Lane.STEPS, OURSELVES, token, until, deadline, [row])
        for row in found
    ]
    return Claim(jobs, more=len(found) >= limit)


def _claim_calls(session: Session, states: States, room: Room, moment: datetime) -> Claim:
    budget = _Budget(breaker.availability(states, moment))
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


def due_ids(session: Session, room: Room, moment: datetime) -> list[str]:
    """The rows that a claim would look at first."""
    budget = _Budget(breaker.availability(breaker.load_states(session), moment))
    some = (_due(session, lane, room.calls.get(lane, 0), budget, room, moment) for lane in Lane)
    return [row.id for rows in some for row in rows]


def quarantined_wait(session: Session, moment: datetime) -> float | None:
    """In how many seconds a row with which a worker died may be delivered alone; None if none is
    due, its lane is paused, or its provider is left alone.

    The rate of its provider is waited for: others would take each permit before it.
    """
    available = breaker.availability(breaker.load_states(session), moment)
    ours = (OUTBOX.c.host == own_host(), OUTBOX.c.lane.in_(lanes.going(session)))
    due = and_(in_state(State.QUEUED), QUARANTINED, OUTBOX.c.due_at <= moment, *ours)
    statement = select(OUTBOX.c.id).where(due).limit(1)
    reach = OUTBOX.c.lane == int(Lane.STEPS)
    if available.any:
        reach = or_(reach, may_go_out(available))
    if session.scalar(statement.where(reach)) is not None:
        return 0.0
    soon = available.opens_at and (available.opens_at - moment).total_seconds()
    paced = [name for name, calls in available.permits.items() if not calls]
    if soon and soon <= breaker.WORTH_WAITING and paced:
        reach = _reach(True, paced, email.chain, known_tasks())
        if session.scalar(statement.where(reach)) is not None:
            return soon
    return None


def may_go_out(available: Availability) -> ColumnElement[bool]:
    """Whether a row does not wait for a provider that may not be called."""
    budget = _Budget(available)
    return _reach(_to_all(budget), _names(budget), email.chain, known_tasks())


def _claim_lane(
    session: Session, lane: Lane, calls: int, budget: _Budget, room: Room, moment: datetime
) -> Claim:
    limit = _row_limit(lane, calls, budget)
    found = _due(session, lane, limit, budget, room, moment)
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


def _row_limit(lane: Lane, calls: int, budget: _Budget) -> int:
    """How many rows so many calls may carry."""
    first = budget.available.first
    batched = first is not None and lane is not Lane.CHANGES
    most = calls * _batch_size(first) if batched and first else calls
    return min(most, max(calls, ROWS_A_TURN))


def _due(
    session: Session, lane: Lane, limit: int, budget: _Budget, room: Room, moment: datetime
) -> list[Held]:
    ids = list(room.ids) if room.ids is not None else None
    to_all = lane is Lane.STEPS or _to_all(budget)
    statement = _due_statement(room.quarantined, ids is not None, to_all)
    values: dict[str, object] = {
        "host": own_host(),
        "lane": int(lane),
        "due_by": moment - timedelta(seconds=room.overdue),
        "names": _names(budget),
        "chain": email.chain,
        "tasks": known_tasks(),
        "row_limit": limit,
    }
    if ids is not None:
        values["ids"] = ids
    return [Held(*row) for row in session.connection().execute(statement, values)]


@cache  # to build it takes longer than to run it
def _due_statement(quarantined: bool, some: bool, to_all: bool) -> Select[Any]:
    due = [
        in_state(State.QUEUED),
        OUTBOX.c.host == bindparam("host"),
        OUTBOX.c.lane == bindparam("lane"),
        OUTBOX.c.due_at <= bindparam("due_by"),
        OUTBOX.c.batch_id.is_(None),
        QUARANTINED if quarantined else OUTBOX.c.quarantined.is_(False),
        _reach(to_all, *(bindparam(each, expanding=True) for each in ("names", "chain", "tasks"))),
    ]
    if some:
        due.append(OUTBOX.c.id.in_(bindparam("ids", expanding=True)))
    ordered = select(*NARROW).where(*due).order_by(OUTBOX.c.due_at).limit(bindparam("row_limit"))
    return ordered.with_for_update(skip_locked=True)  # who waits for a row could wait for ever


def _reach(to_all: bool, names: Any, chain: Any, tasks: Any) -> ColumnElement[bool]:
    """Whether a row may go out through `names`; `to_all` those that no provider is meant for."""
    free: ColumnElement[bool] = OUTBOX.c.only_provider.is_(None)
    reached = or_(
        free if to_all else and_(free, OUTBOX.c.provider.in_(names)),
        OUTBOX.c.only_provider.in_(names),
        OUTBOX.c.only_provider.not_in(chain),  # no longer configured: looked at as well
    )
    return and_(OUTBOX.c.task.in_(tasks), reached)


def _names(budget: _Budget) -> list[str]:
    probe = budget.available.probe
    return [*budget.usable(), *([probe] if probe else [])]


def _to_all(budget: _Budget) -> bool:
    """Whether a row that may go anywhere can go out now."""
    return bool(budget.available.probe) or any(budget.left(name) > 0 for name in _for_all(budget))


def _for_all(budget: _Budget) -> list[str]:
    """The providers that take rows which may go anywhere, beside the one to be probed."""
    first = budget.available.first
    return [*budget.available.doubtful, *([first] if first else [])]


def _choose(
    session: Session,
    row: Held,
    lane: Lane,
    budget: _Budget,
    batches: Mapping[str, Job],
    moment: datetime,
) -> str | None:
    """The provider for this row: with a permit left, or a batch that may take it; None if none."""
    usable, probe, chain = {*budget.usable(), *batches}, budget.available.probe, email.chain
    wanted = row.only_provider if row.only_provider in chain else None
    if wanted is None and row.provider in usable:
        return row.provider
    meant = [*_for_all(budget), probe]
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
