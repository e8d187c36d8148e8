"""What happened to a row: enqueued, tried, reported on by the provider, decided upon."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import insert
from sqlalchemy.orm import Session

from database import utc_now
from outbox.tables import EVENTS, Attempt, EmailEvent, OutboxEmail, OutboxRow, State, own_host
from providers import EventType


def add_event(
    session: Session, row_id: str, what: str, detail: str = "", *, at: datetime | None = None
) -> None:
    """Add a line to the row's timeline that is no attempt, in the caller's transaction."""
    session.add(EmailEvent(email_id=row_id, type=what, detail=detail, at=at or utc_now()))


def add_events(session: Session, row_ids: Sequence[str], what: str, detail: str = "") -> None:
    """Add the same line to the timelines of many rows, by one statement."""
    line = {"at": utc_now(), "type": what, "detail": detail}
    if row_ids:
        session.execute(insert(EVENTS), [line | {"email_id": row_id} for row_id in row_ids])


@frozen
class Moment:
    """One line of a timeline."""

    at: datetime
    type: str
    detail: str = ""


def moments(row: OutboxRow) -> list[Moment]:
    """What happened to the row, oldest first: enqueued, tried, reported on, decided upon."""
    found = [Moment(row.created_at, "enqueued", _how_enqueued(row))]
    for attempt in row.tries:
        found.append(Moment(attempt.started_at, "attempt", _how_started(attempt)))
        if attempt.ended_at and attempt.outcome:
            found.append(Moment(attempt.ended_at, attempt.outcome, _how_ended(attempt)))
    found += [Moment(event.at, event.type, event.detail) for event in row.events]
    return sorted(found, key=_order)


def _how_enqueued(row: OutboxRow) -> str:
    at_once = {event.type for event in row.events if event.at == row.created_at}
    all_allowed = isinstance(row, OutboxEmail) and not at_once & {State.SUPPRESSED, "left_out"}
    parts = (
        row.kind, row.origin and f"by {row.origin}", row.host != own_host() and f"on {row.host}",
        all_allowed and "nobody is suppressed",
    )  # fmt: skip
    return ", ".join(part for part in parts if part)


def _how_started(attempt: Attempt) -> str:
    only = attempt.redirected_to
    return f"{attempt.provider}, to {only} alone (EMAIL_REDIRECT_TO)" if only else attempt.provider


def _how_ended(attempt: Attempt) -> str:
    known = (attempt.provider, attempt.http_status, attempt.error)
    detail = " ".join(str(part) for part in known if part)
    decided = attempt.decision and attempt.decision != attempt.outcome
    return f"{detail} ({attempt.decision})" if decided else detail


def _order(moment: Moment) -> datetime:
    # Providers cut the time of an event to the second, which would put it before its attempt.
    cut = moment.type in set(EventType) and not moment.at.microsecond
    return moment.at.replace(microsecond=999_999) if cut else moment.at
