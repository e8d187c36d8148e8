"""Due rows that need no call: too late, nobody left to write to, or reported on already."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import update
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from extensions import email
from outbox.jobs import Held
from outbox.kinds import kind_of_row
from outbox.retention import redact_sensitive
from outbox.states import move
from outbox.suppression import Suppressed, suppressed, told
from outbox.tables import OUTBOX, OutboxBody, State
from outbox.timeline import add_event

MAY_HAVE_ARRIVED = "an earlier call may have been accepted"


def settle(session: Session, rows: Sequence[Held], moment: datetime) -> list[Held]:
    """The rows that are to be sent; the others are settled in the caller's transaction."""
    careful = [row for row in rows if kind_of_row(row.task).obeys_suppression]
    stopped = suppressed(session, (address for row in careful for address in _addresses(row)))
    live = (_settled_or_live(session, row, moment, stopped) for row in rows)
    return [row for row in live if row is not None]


def end_waiting(session: Session, row: Held | Row[Any], moment: datetime) -> None:
    """End the wait of a row that was reported, or is too late, without a call.

    What an earlier call may have sent has not expired for certain.
    """
    if row.delivery_status:  # an event came meanwhile, which proves that the provider has it
        move(
            session, row.id, State.QUEUED, State.ACCEPTED, accepted_at=moment, pinned=False,
            last_error=None,
        )  # fmt: skip
        redact_sensitive(session, row.id, moment)
        return
    target = State.UNKNOWN if row.pinned else State.EXPIRED
    values = {"unknown_since": moment, "last_error": f"expired; {MAY_HAVE_ARRIVED}"}
    if move(session, row.id, State.QUEUED, target, **(values if row.pinned else {})):
        detail = MAY_HAVE_ARRIVED if row.pinned else ""
        add_event(session, row.id, State.EXPIRED, detail, at=moment)


def _settled_or_live(
    session: Session, row: Held, moment: datetime, stopped: Suppressed
) -> Held | None:
    if row.delivery_status or (row.expires_at and row.expires_at <= moment):
        end_waiting(session, row, moment)
        return None
    refused = _refused(row, stopped)
    return _without(session, row, refused, stopped, moment) if refused else row


def _refused(row: Held, stopped: Suppressed) -> dict[str, str]:
    kind = kind_of_row(row.task)
    if kind.obeys_suppression:
        return stopped.among(_addresses(row), row.category)
    why = kind.refusal(row.recipient)
    return {row.recipient: why} if why else {}


def _without(
    session: Session, row: Held, refused: dict[str, str], stopped: Suppressed, moment: datetime
) -> Held | None:
    """The row without those whom it must not reach; None if nobody is left to write to."""
    if not row.recipients:
        _suppress(session, row, told(refused), moment)
        return None
    body = session.get_one(OutboxBody, row.id)
    kept, who = stopped.filter(body.message, row.category)
    # Bytes that may have been accepted never change, so nobody can be left out of them.
    stuck = row.pinned and any(email.refusal(each) for each in refused)
    if not kept["to"] or stuck:
        _suppress(session, row, who, moment)
        return None
    if row.pinned:
        return row
    body.message = kept
    recipients = [address for address in row.recipients if address not in refused]
    statement = update(OUTBOX).where(OUTBOX.c.id == row.id)
    session.execute(statement.values(recipients=recipients))
    add_event(session, row.id, "left_out", who, at=moment)
    return evolve(row, recipients=recipients)


def _suppress(session: Session, row: Held, who: str, moment: datetime) -> None:
    pinned = row.pinned and not kind_of_row(row.task).repeatable
    target = State.UNKNOWN if pinned else State.SUPPRESSED
    values = {"unknown_since": moment} if pinned else {}
    move(session, row.id, State.QUEUED, target, last_error=who, **values)
    add_event(session, row.id, State.SUPPRESSED, who, at=moment)
    if row.sensitive and target is State.SUPPRESSED:
        redact_sensitive(session, row.id, moment)


def _addresses(row: Held) -> list[str]:
    return row.recipients or [row.recipient]
