"""Changes of subscribers in the outbox: the same rows, claims and retries as emails.

A change may be repeated without harm, so none ends as `unknown`: it is repeated until it is done,
20 times at most. It says nothing about sending: a key that may only send refuses every change.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

from database import now_in, utc_now
from errors import (
    AuthenticationFailed,
    EmailSendError,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    UnsupportedFeature,
)
from extensions import email
from message import UnreadableMessage, new_id
from outbox.jobs import Answer, Job, Kind, unreadable
from outbox.suppression import told
from outbox.tables import Lane, OutboxBody, OutboxChange, State
from outbox.timeline import add_event
from providers import SubscriberChange, allow_until, change_from_json, change_to_json, kind_of

logger = logging.getLogger(__name__)


class ChangeKind(Kind):
    """One change of a subscriber. How it fares says nothing about sending."""

    task = "subscriber"
    repeatable = True
    judges_provider = False

    def refusal(self, address: str) -> str | None:
        return email.refusal_of_change(address)

    def prepare(self, job: Job) -> Iterable[Job]:
        try:
            job.request = change_from_json(job.stored[0])
        except UnreadableMessage as error:
            job.answer_all(unreadable(error))
            return [job]
        job.hashes = [_hash_of(job.stored[0])]
        return [job]

    def call(self, job: Job) -> list[Answer]:
        # A change may take many calls, and the last must end before the lease does.
        with allow_until(job.deadline - current_app.config["EMAIL_TIMEOUT"]) as allowance:
            answer = self._answer(job)
        job.calls = max(1, allowance.calls)
        return [answer]

    def _answer(self, job: Job) -> Answer:
        # An unknown outcome is worth another try, and so is a refused key, which may be mended.
        try:
            return email.change_subscriber(job.provider, job.request, job.rows[0].id)
        except (OutcomeUnknown, AuthenticationFailed, QuotaExceeded) as error:
            return ProviderUnavailable(str(error), error.status, provider=job.provider)
        except EmailSendError as error:
            return error
        except Exception as error:
            logger.exception("change %s: calling %s broke", job.rows[0].id, job.provider)
            return EmailSendError(f"{type(error).__name__}: {error}", provider=job.provider)


def enqueue_change(
    session: Session, change: SubscriberChange, *, origin: str | None = None
) -> OutboxChange:
    """Store a change of a subscriber in `session`'s transaction, for the first provider.

    It is stored as `suppressed` if the settings let none be made for that address. Raises
    `UnsupportedFeature` if that provider has no such thing, or SUBSCRIBERS_ENABLED is off.
    """
    if not current_app.config["SUBSCRIBERS_ENABLED"]:
        raise UnsupportedFeature("SUBSCRIBERS_ENABLED is false, so no subscribers are kept")
    provider = email.chain[0]
    email.provider(provider).check_change(change)
    why = email.refusal_of_change(change.email)
    row = OutboxChange(
        id=new_id(), kind=kind_of(change), category="subscriber", lane=Lane.CHANGES,
        origin=origin, recipient=change.email, subject=kind_of(change), if_unknown="resend",
        sensitive=False, state=State.SUPPRESSED if why else State.QUEUED,
        due_at=now_in(session), created_at=utc_now(),
        provider=provider, only_provider=provider,  # a list of subscribers lives with one provider
        pinned=False, quarantined=False, marks=[],
        body=OutboxBody(message=change_to_json(change)),
    )  # fmt: skip
    session.add(row)
    if why:
        row.last_error = told({change.email: why})
        session.flush()
        add_event(session, row.id, State.SUPPRESSED, row.last_error, at=row.created_at)
    return row


def _hash_of(stored: dict[str, Any]) -> str:
    """What an attempt at this change did, in place of the bytes of a message."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
