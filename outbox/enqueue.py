"""Putting an email into the outbox: one row, in the caller's transaction."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from database import insert_if_new, take_turns, utc_now
from errors import IntentConflict
from extensions import email
from message import EmailMessage, to_json
from outbox.suppression import suppressed
from outbox.tables import OutboxEmail, State
from outbox.timeline import add_event

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
    intent_hash = _hash(intent_fields) if intent_fields is not None else None
    row = _row(message, intent_hash, limit_key, origin)
    row, what, detail = _checked(session, row)
    if insert_if_new(session, OutboxEmail, row) and what:
        add_event(session, row["id"], what, detail, at=row["created_at"])
    stored = _find(session, message)
    if intent_hash and stored.intent_hash != intent_hash:
        raise IntentConflict(
            "this key was used before with other content; use a new key for a new email",
            field="Idempotency-Key",
        )
    return stored


def _checked(session: Session, row: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    """The row as its recipients and its limit allow it, and the event to add about that, if any."""
    kept, who = suppressed(session, [row["message"]]).filter(row["message"], row["category"])
    if not kept["to"]:
        refusal = who
    elif row["limit_key"] and _count_recent(session, row["limit_key"]) >= LIMIT_COUNT:
        refusal = f"more than {LIMIT_COUNT} emails an hour asked for this address"
    elif who:
        return row | {"message": kept}, "left_out", who
    else:
        return row, "", ""
    return row | {"state": State.SUPPRESSED, "last_error": refusal}, State.SUPPRESSED, refusal


def _row(
    message: EmailMessage,
    intent_hash: str | None,
    limit_key: str | None,
    origin: str | None = None,
) -> dict[str, Any]:
    created_at = utc_now()
    return {
        "id": message.id,
        "task": "email",
        "kind": message.kind,
        "origin": origin,
        "category": message.category,
        "recipient": message.to[0].email.lower(),
        "subject": message.subject,
        "message": to_json(message),
        "intent_key": message.intent_key,
        "intent_hash": intent_hash,
        "limit_key": limit_key,
        "if_unknown": message.if_unknown,
        "sensitive": message.sensitive,
        "state": State.QUEUED,
        "due_at": message.send_at or created_at,
        "expires_at": message.expires_at,
        "created_at": created_at,
        "attempts": 0,
        "crashes": 0,
        "marks": [],
    }


def _find(session: Session, message: EmailMessage) -> OutboxEmail:
    same = OutboxEmail.id == message.id
    if message.intent_key:
        same = OutboxEmail.intent_key == message.intent_key
    return session.scalars(select(OutboxEmail).where(same)).one()


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
