"""Putting emails into the outbox: a row for each, in the caller's transaction."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from attrs import define, frozen
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, make_transient_to_detached

from database import Limit, insert_if_new, insert_new, limits, now, now_in, utc_now
from errors import IntentConflict
from extensions import email
from message import EmailMessage, to_json
from outbox.retention import keeps_sensitive, without_body
from outbox.suppression import Suppressed, addresses_of, suppressed
from outbox.tables import BODIES, EVENTS, Lane, OutboxEmail, OutboxRow, State

Row = TypeVar("Row", bound=OutboxRow)


def enqueue(
    session: Session,
    message: EmailMessage,
    *,
    limited_by: Sequence[Limit] = (),
    intent_fields: Mapping[str, Any] | None = None,
    origin: str | None = None,
) -> OutboxEmail:
    """Store the email in `session`'s transaction; nothing is sent before that commits.

    With an intent key that was used before, the row of the first email comes back; if
    `intent_fields` are given and differ from the first ones, `IntentConflict` is raised.
    `limited_by` says how often strangers can make us write: an email beyond one of these limits is
    stored as `suppressed`, so that the outcome is on record and the caller sees no difference; so
    it is if nobody is left whom we may write to. `origin` names the view or command for the record.
    """
    entry = _entry(message, origin)
    row = entry.row
    row["intent_hash"] = None if intent_fields is None else _hash(intent_fields)
    entry.leave_out(suppressed(session, entry.addresses))
    if entry.may_be_sent and (full := limits.used_up(session, *limited_by)):
        entry.refuse(str(full))
    due_at = {"due_at": message.send_at or now_in(session)}
    if not insert_if_new(session, OutboxEmail, row | due_at):
        return _same(session, message, row["intent_hash"])
    if entry.may_be_sent:
        limits.use(session, *limited_by)
    _add_rest(session, [entry])
    return stored(session, OutboxEmail, row)


@frozen
class Enqueued:
    """What became of many messages: the ids of those to be sent, and how many were not new."""

    queued: Sequence[str]
    suppressed: int
    known: int


def enqueue_many(
    session: Session, messages: Iterable[EmailMessage], *, origin: str | None = None
) -> Enqueued:
    """Store some hundreds of emails in `session`'s transaction, by a few statements for all.

    One whose intent key was used before, among these or earlier, is not stored. Whatever their
    category they go out in the lane of marketing: many at once hold up nobody who waits for one.
    """
    entries = [_entry(message, origin) for message in messages]
    stopped = suppressed(session, (address for each in entries for address in each.addresses))
    moment = now(session)
    for entry in entries:
        entry.leave_out(stopped)
        entry.row |= {"lane": Lane.MARKETING, "due_at": entry.send_at or moment}
    ids = insert_new(session, OutboxEmail, [entry.row for entry in entries])
    new = list({entry.row["id"]: entry for entry in entries if entry.row["id"] in ids}.values())
    _add_rest(session, new)
    queued = [entry.row["id"] for entry in new if entry.may_be_sent]
    return Enqueued(queued, len(new) - len(queued), len(entries) - len(new))


def stored(session: Session, table: type[Row], values: Mapping[str, Any]) -> Row:
    """The row that was inserted with these `values`, without reading it back."""
    row = table(**{name: value for name, value in values.items() if name != "task"})
    make_transient_to_detached(row)
    session.add(row)
    return row


@define
class _Entry:
    """What is stored of one email: its row, its body, and what is noted about it."""

    row: dict[str, Any]
    body: dict[str, Any]
    send_at: datetime | None
    note: dict[str, Any] | None = None

    @property
    def addresses(self) -> list[str]:
        return self.row["recipients"] or [self.row["recipient"]]

    @property
    def may_be_sent(self) -> bool:
        return bool(self.row["state"] == State.QUEUED)

    def leave_out(self, stopped: Suppressed) -> None:
        """Take out whom it must not reach; it is refused if nobody is left."""
        kept, who = stopped.filter(self.body, self.row["category"])
        if not kept["to"]:
            self.refuse(who)
        elif who:
            self.body = kept
            self.row["recipients"] = [each.lower() for each in addresses_of(kept)]
            self._note("left_out", who)

    def refuse(self, why: str) -> None:
        self.row |= {"state": State.SUPPRESSED, "last_error": why}
        self._note(State.SUPPRESSED, why)
        if self.row["sensitive"] and not keeps_sensitive():  # a key that nobody waits for
            self.body = without_body(self.body)
            self.row["redacted_at"] = self.row["created_at"]

    def _note(self, what: str, detail: str) -> None:
        at = self.row["created_at"]
        self.note = {"email_id": self.row["id"], "at": at, "type": what, "detail": detail}


def _add_rest(session: Session, entries: Sequence[_Entry]) -> None:
    """Add the bodies of rows that were stored just now, and what is noted about them."""
    if bodies := [{"id": entry.row["id"], "message": entry.body} for entry in entries]:
        session.execute(insert(BODIES), bodies)
    if notes := [entry.note for entry in entries if entry.note]:
        session.execute(insert(EVENTS), notes)


def _same(session: Session, message: EmailMessage, intent_hash: str | None) -> OutboxEmail:
    """The row that has this message's key, or its id."""
    same = OutboxEmail.id == message.id
    if message.intent_key:
        same = OutboxEmail.intent_key == message.intent_key
    first = session.scalars(select(OutboxEmail).where(same)).one()
    if intent_hash and first.intent_hash != intent_hash:
        raise IntentConflict(
            "this key was used before with other content; use a new key for a new email",
            field="Idempotency-Key",
        )
    return first


def _entry(message: EmailMessage, origin: str | None) -> _Entry:
    message = email.complete(message)  # the sender is frozen with everything else
    everybody = [each.email.lower() for each in message.recipients]
    marketing = message.category == "marketing"
    row = {
        "id": message.id,
        "task": "email",
        "kind": message.kind,
        "origin": origin,
        "category": message.category,
        "lane": Lane.MARKETING if marketing else Lane.TRANSACTIONAL,
        "recipient": message.to[0].email.lower(),
        "recipients": everybody if len(everybody) > 1 else None,
        "subject": message.subject,
        "size": message.size,
        "single": bool(message.attachments),
        "intent_key": message.intent_key,
        "intent_hash": None,
        "if_unknown": message.if_unknown,
        "sensitive": message.sensitive,
        "state": State.QUEUED,
        "last_error": None,
        "redacted_at": None,
        "expires_at": message.expires_at,
        "created_at": utc_now(),
        "attempts": 0,
        "quarantined": False,
        "crashes": 0,
        "pinned": False,
        "marks": [],
    }
    return _Entry(row, to_json(message), message.send_at)


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
