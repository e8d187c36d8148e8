"""Every received event once: the event and its effect are stored in one transaction."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from attrs import frozen
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from errors import InvalidMessage
from extensions import DATABASE_ERRORS, db, insert_new
from log_setup import mask
from message import new_id
from models import ReceivedEvent, utc_now

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    IGNORED = "ignored"  # of a kind that means nothing to us
    WAITING = "waiting"  # about an email that is not known here yet
    REJECTED = "rejected"  # meant for us, but its data cannot be used
    DUPLICATE = "duplicate"  # seen before; nothing was stored again


class EventRejected(Exception):
    """The event is genuine, but lacks what its effect needs; a redelivery would lack it too."""


@frozen(kw_only=True)
class Incoming:
    """One event of a verified delivery.

    `effect` works on `db.session` and does not commit; it may return another outcome than
    `applied`. None means that the event is not for us. `email_id` and `provider_message_id` say
    which email it is about, for an event that has to wait for its email.
    """

    event_id: str
    type: str
    payload: str
    effect: Callable[[], Outcome | None] | None
    email_id: str | None = None
    provider_message_id: str | None = None


def receive(source: str, event: Incoming) -> Outcome:
    """Store one event and its effect; see `receive_all`."""
    return receive_all(source, [event])[0]


def receive_all(source: str, events: Sequence[Incoming]) -> list[Outcome]:
    """Store each event together with its effect, and commit; what became of each, in order.

    A second delivery of an `event_id` does nothing. If an effect raises `EventRejected` (or
    composes an email that is refused) its event is kept as rejected. After any other exception
    that event leaves nothing behind, the others are stored all the same, and the exception goes
    to the caller, so that the sender tries again. A failing database leaves nothing at all.
    """
    session = db.session()
    rows = [_row(source, event) for event in events]
    new = insert_new(session, ReceivedEvent, rows)
    results = [
        _result(row["id"], event) if row["id"] in new else _Result(row["id"], Outcome.DUPLICATE)
        for row, event in zip(rows, events, strict=True)
    ]
    _settle(session, results)
    db.session.commit()
    for event, result in zip(events, results, strict=True):
        _log(source, event, result)
    faults = [result.fault for result in results if result.fault]
    if faults:
        raise faults[0]
    return [result.outcome for result in results]


@frozen
class _Result:
    row_id: str
    outcome: Outcome
    error: str | None = None
    fault: Exception | None = None


def _row(source: str, event: Incoming) -> dict[str, Any]:
    return {
        "id": new_id(),
        "source": source,
        "event_id": event.event_id,
        "type": event.type[:100],
        "payload": event.payload,
        "outcome": Outcome.APPLIED if event.effect else Outcome.IGNORED,
        "email_id": event.email_id,
        "provider_message_id": event.provider_message_id,
        "received_at": utc_now(),
    }


def _result(row_id: str, event: Incoming) -> _Result:
    """Let a new event have its effect, in a savepoint of its own."""
    if event.effect is None:
        return _Result(row_id, Outcome.IGNORED)
    try:
        with db.session.begin_nested():
            return _Result(row_id, event.effect() or Outcome.APPLIED)
    except (EventRejected, InvalidMessage) as error:
        return _Result(row_id, Outcome.REJECTED, error=mask(str(error)))
    except DATABASE_ERRORS:
        raise
    except Exception as error:
        return _Result(row_id, Outcome.REJECTED, fault=error)


def _settle(session: Session, results: Sequence[_Result]) -> None:
    """Write down what became of the events, and forget those that broke our code."""
    broken = [result.row_id for result in results if result.fault]
    if broken:
        session.execute(delete(ReceivedEvent).where(ReceivedEvent.id.in_(broken)))
    changed = [
        {"id": result.row_id, "outcome": result.outcome, "error": result.error}
        for result in results
        if result.outcome in (Outcome.WAITING, Outcome.REJECTED) and not result.fault
    ]
    if changed:
        session.execute(update(ReceivedEvent), changed)


def _log(source: str, event: Incoming, result: _Result) -> None:
    known = f"source={source} type={event.type[:100]} event={event.event_id[:64]}"
    if result.fault:
        logger.error("webhook %s broke our code: %s", known, type(result.fault).__name__)
    elif result.error:
        logger.warning("webhook rejected %s: %s", known, result.error)
    else:
        logger.info("webhook %s %s", result.outcome, known)
