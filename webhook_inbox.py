"""Every received event once: the event and its effect are stored in one transaction."""

import logging
from collections.abc import Callable, Sequence
from enum import StrEnum

from attrs import frozen

from errors import InvalidMessage
from extensions import DATABASE_ERRORS, db, insert_if_new
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
    outcomes: list[Outcome] = []
    fault: Exception | None = None
    for event in events:
        try:
            with db.session.begin_nested():
                outcomes.append(_receive(source, event))
        except DATABASE_ERRORS:
            raise
        except Exception as error:
            logger.error(
                "webhook source=%s event=%s broke our code: %s",
                source, event.event_id[:64], type(error).__name__,
            )  # fmt: skip
            fault = fault or error
    db.session.commit()
    if fault:
        raise fault
    return outcomes


def _receive(source: str, event: Incoming) -> Outcome:
    row_id = new_id()
    row = {
        "id": row_id,
        "source": source,
        "event_id": event.event_id,
        "type": event.type[:100],
        "payload": event.payload,
        "outcome": Outcome.APPLIED if event.effect else Outcome.IGNORED,
        "email_id": event.email_id,
        "provider_message_id": event.provider_message_id,
        "received_at": utc_now(),
    }
    if not insert_if_new(db.session(), ReceivedEvent, row):
        return Outcome.DUPLICATE
    outcome = _apply(row_id, event.effect) if event.effect else Outcome.IGNORED
    line = "webhook %s source=%s type=%s event=%s"
    logger.info(line, outcome, source, event.type[:100], event.event_id[:64])
    return outcome


def _apply(row_id: str, effect: Callable[[], Outcome | None]) -> Outcome:
    outcome, reason = Outcome.APPLIED, None
    try:
        with db.session.begin_nested():
            outcome = effect() or Outcome.APPLIED
    except (EventRejected, InvalidMessage) as error:
        logger.warning("webhook rejected event=%s: %s", row_id, mask(str(error)))
        outcome, reason = Outcome.REJECTED, mask(str(error))
    if outcome is not Outcome.APPLIED:
        stored = db.session.get_one(ReceivedEvent, row_id)
        stored.outcome, stored.error = outcome, reason
    return outcome
