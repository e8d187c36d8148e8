"""Which due rows can go out now: by lane, by host, and through whom.

What another host made is left alone (see outbox/hosts.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import ColumnElement, Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from extensions import email
from outbox import breaker, lanes
from outbox.breaker import Availability
from outbox.jobs import Held
from outbox.kinds import known_tasks
from outbox.tables import OUTBOX, QUARANTINED, Lane, State, in_state, own_host

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
class Budget:
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

    @property
    def names(self) -> list[str]:
        """Whoever may be called: with a permit, or to learn whether it is back."""
        return [*self.usable(), *([self.available.probe] if self.available.probe else [])]

    @property
    def for_all(self) -> list[str]:
        """The providers that take rows which may go anywhere, beside the one to be probed."""
        first = self.available.first
        return [*self.available.doubtful, *([first] if first else [])]

    @property
    def to_all(self) -> bool:
        """Whether a row that may go anywhere can go out now."""
        return bool(self.available.probe) or any(self.left(name) > 0 for name in self.for_all)


def due_rows(
    session: Session, lane: Lane, limit: int, budget: Budget, room: Room, moment: datetime
) -> list[Held]:
    """Rows of `lane` that can go out by `budget`, the longest due first; they are locked."""
    ids = list(room.ids) if room.ids is not None else None
    to_all = lane is Lane.STEPS or budget.to_all
    statement = _due_statement(room.quarantined, ids is not None, to_all)
    values: dict[str, object] = {
        "host": own_host(),
        "lane": int(lane),
        "due_by": moment - timedelta(seconds=room.overdue),
        "names": budget.names,
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


def due_ids(session: Session, room: Room, moment: datetime) -> list[str]:
    """The rows that a claim would look at first."""
    budget = Budget(breaker.availability(breaker.load_states(session), moment))
    some = (due_rows(session, lane, room.calls.get(lane, 0), budget, room, moment) for lane in Lane)
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
        reach = or_(reach, _may_go_out(available))
    if session.scalar(statement.where(reach)) is not None:
        return 0.0
    soon = available.opens_at and (available.opens_at - moment).total_seconds()
    paced = [name for name, calls in available.permits.items() if not calls]
    if soon and soon <= breaker.WORTH_WAITING and paced:
        reach = _reach(True, paced, email.chain, known_tasks())
        if session.scalar(statement.where(reach)) is not None:
            return soon
    return None


def _may_go_out(available: Availability) -> ColumnElement[bool]:
    """Whether a row does not wait for a provider that may not be called."""
    budget = Budget(available)
    return _reach(budget.to_all, budget.names, email.chain, known_tasks())
