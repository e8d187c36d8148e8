"""Every received event once: the event and its effect are stored in one transaction."""

import logging
from collections.abc import Callable
from enum import StrEnum

from errors import InvalidMessage
from extensions import db, insert_if_new
from log_setup import mask
from message import new_id
from models import ReceivedEvent, utc_now

logger = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    IGNORED = "ignored"  # of a kind that means nothing to us
    REJECTED = "rejected"  # meant for us, but its data cannot be used
    DUPLICATE = "duplicate"  # seen before; nothing was stored again


class EventRejected(Exception):
    """The event is genuine, but lacks what its effect needs; a redelivery would lack it too."""


def receive(
    source: str,
    event_id: str,
    event_type: str,
    payload: str,
    effect: Callable[[], None] | None,
) -> Outcome:
    """Store the event and run `effect` in one transaction, and commit it.

    `effect` works on `db.session` and does not commit; None means that the event is not for us.
    A second delivery of the same `event_id` does nothing. If `effect` raises `EventRejected` (or
    composes an email that is refused) the event is kept as rejected; any other exception rolls
    everything back and goes to the caller, so that the sender tries again.
    """
    row_id = new_id()
    row = {
        "id": row_id,
        "source": source,
        "event_id": event_id,
        "type": event_type[:100],
        "payload": payload,
        "outcome": Outcome.APPLIED if effect else Outcome.IGNORED,
        "received_at": utc_now(),
    }
    if not insert_if_new(db.session(), ReceivedEvent, row):
        db.session.rollback()
        return Outcome.DUPLICATE
    outcome = _apply(row_id, effect) if effect else Outcome.IGNORED
    db.session.commit()
    logger.info("webhook %s type=%s event=%s", outcome, event_type[:100], event_id[:64])
    return outcome


def _apply(row_id: str, effect: Callable[[], None]) -> Outcome:
    try:
        with db.session.begin_nested():
            effect()
    except (EventRejected, InvalidMessage) as error:
        logger.warning("webhook rejected event=%s: %s", row_id, mask(str(error)))
        stored = db.session.get_one(ReceivedEvent, row_id)
        stored.outcome, stored.error = Outcome.REJECTED, str(error)
        return Outcome.REJECTED
    return Outcome.APPLIED
