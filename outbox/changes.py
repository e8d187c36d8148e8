"""Changes of subscribers in the outbox: the same rows, claims and retries as emails.

A change may be repeated without harm, so none ends as `unknown`: it is repeated until it is done,
20 times at most. It says nothing about sending: a key that may only send refuses every change.
"""

import hashlib
import json
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from database import now_in, utc_now
from errors import UnsupportedFeature
from extensions import email
from message import new_id
from outbox.tables import Lane, OutboxBody, OutboxChange, State
from providers import SubscriberChange, change_to_json, kind_of


def enqueue_change(
    session: Session, change: SubscriberChange, *, origin: str | None = None
) -> OutboxChange:
    """Store a change of a subscriber in `session`'s transaction, for the first provider.

    Raises `UnsupportedFeature` if that provider has no such thing, or SUBSCRIBERS_ENABLED is off.
    """
    if not current_app.config["SUBSCRIBERS_ENABLED"]:
        raise UnsupportedFeature("SUBSCRIBERS_ENABLED is false, so no subscribers are kept")
    provider = email.chain[0]
    email.provider(provider).check_change(change)
    row = OutboxChange(
        id=new_id(), kind=kind_of(change), category="subscriber", lane=Lane.CHANGES,
        origin=origin, recipient=change.email, subject=kind_of(change), if_unknown="resend",
        sensitive=False, state=State.QUEUED, due_at=now_in(session), created_at=utc_now(),
        provider=provider, only_provider=provider,  # a list of subscribers lives with one provider
        pinned=False, quarantined=False, marks=[],
        body=OutboxBody(message=change_to_json(change)),
    )  # fmt: skip
    session.add(row)
    return row


def hash_of(stored: dict[str, Any]) -> str:
    """What an attempt at this change did, in place of the bytes of a message."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
