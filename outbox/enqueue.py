"""Putting an email into the outbox: one row, in the caller's transaction."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, make_transient_to_detached

from database import insert_if_new, now_in, take_turns, utc_now
from errors import IntentConflict
from extensions import email
from message import EmailMessage, to_json
from outbox.suppression import addresses_of, suppressed
from outbox.tables import BODIES, Lane, OutboxEmail, OutboxRow, State
from outbox.timeline import add_event

Row = TypeVar("Row", bound=OutboxRow)

LIMIT_COUNT = 3
LIMIT_WINDOW = timedelta(hours=1)


def enqueue(
    session: Session,
    message: EmailMessage,
    *,
    limit_key: str | None = None,
    intent_fields: Mapping[str, Any] | None = None,
    origin: str | None = None,
) -> OutboxEmail:
    """Store the email in `session`'s transaction; nothing is sent before that commits.

    With an intent key that was used before, the row of the first email comes back; if
    `intent_fields` are given and differ from the first ones, `IntentConflict` is raised.
    `limit_key` names whom strangers can make us write to: beyond 3 emails an hour the row is
    stored as `suppressed`, so that the outcome is on record and the caller sees no difference; so
    it is if nobody is left whom we may write to. `origin` names the view or command for the record.
    """
    message = email.complete(message)  # the sender is frozen with everything else
    row = _row(message, limit_key, origin)
    if intent_fields is not None:
        row["intent_hash"] = _hash(intent_fields)
    body, what, detail = _checked(session, row, to_json(message))
    due_at = {"due_at": message.send_at or now_in(session)}
    if not insert_if_new(session, OutboxEmail, row | due_at):
        return _same(session, message, row["intent_hash"])
    session.execute(insert(BODIES), {"id": row["id"], "message": body})
    if what:
        add_event(session, row["id"], what, detail, at=row["created_at"])
    return stored(session, OutboxEmail, row)


def stored(session: Session, table: type[Row], values: Mapping[str, Any]) -> Row:
    """The row that was inserted with these `values`, without reading it back."""
    row = table(**{name: value for name, value in values.items() if name != "task"})
    make_transient_to_detached(row)
    session.add(row)
    return row


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


def _checked(
    session: Session, row: dict[str, Any], body: dict[str, Any]
) -> tuple[dict[str, Any], str, str]:
    """The body as its recipients and its limit allow it; the event to add about that, if any."""
    addresses = row["recipients"] or [row["recipient"]]
    kept, who = suppressed(session, addresses).filter(body, row["category"])
    if not kept["to"]:
        refusal = who
    elif row["limit_key"] and _count_recent(session, row["limit_key"]) >= LIMIT_COUNT:
        refusal = f"more than {LIMIT_COUNT} emails an hour asked for this address"
    elif who:
        row["recipients"] = [each.lower() for each in addresses_of(kept)]
        return kept, "left_out", who
    else:
        return body, "", ""
    row |= {"state": State.SUPPRESSED, "last_error": refusal}
    return body, State.SUPPRESSED, refusal


def _row(message: EmailMessage, limit_key: str | None, origin: str | None) -> dict[str, Any]:
    everybody = [each.email.lower() for each in message.recipients]
    marketing = message.category == "marketing"
    return {
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
        "limit_key": limit_key,
        "if_unknown": message.if_unknown,
        "sensitive": message.sensitive,
        "state": State.QUEUED,
        "expires_at": message.expires_at,
        "created_at": utc_now(),
        "attempts": 0,
        "quarantined": False,
        "crashes": 0,
        "pinned": False,
        "marks": [],
    }


def _count_recent(session: Session, limit_key: str) -> int:
    take_turns(session, limit_key)  # or two requests for one key would count the same rows
    statement = select(func.count()).where(
        OutboxEmail.limit_key == limit_key,
        OutboxEmail.created_at > utc_now() - LIMIT_WINDOW,
        OutboxEmail.state != State.SUPPRESSED,
    )
    return session.scalar(statement) or 0


def _hash(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
