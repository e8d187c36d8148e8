"""Every received event once: the event and its effect are stored in one transaction."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import Factory, define
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from database import db, insert_new, utc_now, why_unavailable
from errors import InvalidMessage
from log_setup import mask
from message import new_id
from providers import RawEvent, TrackingEvent, UnusableEvent
from webhooks import effects
from webhooks.reported import ReportedEmails, lock_reported
from webhooks.tables import EventOutcome, ReceivedEvent
from webhooks.waiting import to_json

logger = logging.getLogger(__name__)

Effect = Callable[[], None]
"""Works on `db.session` and does not commit."""

Parse = Callable[[RawEvent], TrackingEvent | Effect | None]
"""What an event means: a report about an email, an effect of the caller's own, or nothing."""

About = Callable[[RawEvent], str | None]
"""The thing that an event is about, up to 255 characters that a column can hold."""


class EventsFailed(Exception):
    """Events broke our code and were not stored; the sender must deliver them again."""


def receive(
    source: str, raw_events: Sequence[RawEvent], parse: Parse, about: About | None = None
) -> list[EventOutcome]:
    """Store each event of a verified delivery together with its effect, and commit.

    `about` names what an event tells of, for `was_applied`. A second delivery does nothing.
    Returns what became of each, in the order in which they were applied.

    What raises `UnusableEvent`, or composes an email that is refused, is kept as rejected. After
    any other exception nothing of that event is stored, the others are all the same, and then
    `EventsFailed` is raised. A failing database leaves nothing at all.
    """
    session = db.session()
    events = [_parsed(source, raw, parse) for raw in raw_events]
    if about:
        for each in events:
            each.about = about(each.raw)
    # In one order whoever delivers, so that two deliveries at once cannot wait for each other.
    events.sort(key=lambda each: (each.recipient, each.raw.event_id))
    emails = lock_reported(session, source, [each.report for each in events if each.report])
    new = insert_new(session, ReceivedEvent, [each.row() for each in events])
    for each in events:
        if each.row_id in new:
            _apply(session, each, emails)
        else:
            each.outcome = EventOutcome.DUPLICATE
    _store_outcomes(session, [each for each in events if each.row_id in new])
    db.session.commit()
    for each in events:
        each.log()
    failed = sum(each.outcome is EventOutcome.FAILED for each in events)
    if failed:
        raise EventsFailed(
            f"{failed} of {len(events)} events of {source} broke our code (see the log above); the "
            "others are stored, and these count once they are delivered again"
        )
    return [each.outcome for each in events]


def was_applied(session: Session, source: str, kind: str, about: str) -> bool:
    """Whether an event of this type about this thing had its effect, in this transaction too."""
    same = select(ReceivedEvent.id).where(
        ReceivedEvent.about == about,
        ReceivedEvent.source == source,
        ReceivedEvent.type == kind,
        ReceivedEvent.outcome == EventOutcome.APPLIED,
    )
    return session.scalar(same.limit(1)) is not None


@define
class _Event:
    """An event on its way: what it means, and what becomes of it."""

    source: str
    raw: RawEvent
    meaning: TrackingEvent | Effect | None = None
    outcome: EventOutcome = EventOutcome.IGNORED
    error: str | None = None
    about: str | None = None
    row_id: str = Factory(new_id)

    @property
    def report(self) -> TrackingEvent | None:
        return self.meaning if isinstance(self.meaning, TrackingEvent) else None

    @property
    def recipient(self) -> str:
        return (self.report and self.report.recipient) or ""

    def row(self) -> dict[str, Any]:
        return {
            "id": self.row_id,
            "source": self.source,
            "event_id": self.raw.event_id,
            "type": self.raw.type[:100],
            "payload": self.raw.payload,
            "outcome": self.outcome,
            "error": self.error,
            "about": self.about,
            "email_id": self.report and self.report.email_id,
            "provider_message_id": self.report and self.report.provider_message_id,
            "received_at": utc_now(),
        }

    def waiting_event(self) -> dict[str, Any] | None:
        waits = self.outcome is EventOutcome.WAITING
        return to_json(self.report) if waits and self.report else None

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """What the block raises decides about this event, and must not cost the others."""
        try:
            yield
        except (UnusableEvent, InvalidMessage) as error:
            self.outcome, self.error = EventOutcome.REJECTED, mask(str(error))
        except Exception as error:
            if why_unavailable(error):
                raise
            self.outcome = EventOutcome.FAILED
            logger.exception("webhook %s broke our code", self)

    def log(self) -> None:
        if self.error:
            logger.warning("webhook rejected %s: %s", self, self.error)
        else:
            logger.info("webhook %s %s", self.outcome, self)

    def __str__(self) -> str:
        raw = self.raw
        return f"source={self.source} type={raw.type[:100]} event={raw.event_id[:64]}"


def _parsed(source: str, raw: RawEvent, parse: Parse) -> _Event:
    event = _Event(source, raw)
    with event.own_errors():
        event.meaning = parse(raw)
        event.outcome = EventOutcome.APPLIED if event.meaning else EventOutcome.IGNORED
    return event


def _apply(session: Session, event: _Event, emails: ReportedEmails) -> None:
    """Let the event have its effect, in a savepoint of its own."""
    if event.meaning is None:
        return
    with event.own_errors(), session.begin_nested():
        if not isinstance(event.meaning, TrackingEvent):
            event.meaning()
        elif not effects.apply(session, event.meaning, emails):
            event.outcome = EventOutcome.WAITING


def _store_outcomes(session: Session, events: Sequence[_Event]) -> None:
    """Write down what became of the events, and forget those that broke our code."""
    failed = [each.row_id for each in events if each.outcome is EventOutcome.FAILED]
    if failed:
        session.execute(delete(ReceivedEvent).where(ReceivedEvent.id.in_(failed)))
    changed = [
        {
            "id": each.row_id,
            "outcome": each.outcome,
            "error": each.error,
            "waiting_event": each.waiting_event(),
        }
        for each in events
        if each.outcome in (EventOutcome.WAITING, EventOutcome.REJECTED)
    ]
    if changed:
        session.execute(update(ReceivedEvent), changed)
