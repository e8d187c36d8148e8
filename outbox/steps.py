"""Work for the database alone, done later in delivery: a row like an email's, without a provider.

Its lease, its retries and its quarantine are those of every row, but nothing holds it up that holds
up a provider: it takes no permit and no sender. Once it is done the row is gone.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import delete
from sqlalchemy.orm import Session

from database import changed_rows, now_in, transaction, utc_now, why_unavailable
from errors import EmailSendError
from message import new_id
from outbox.jobs import OURSELVES, Answer, Job, Kind, Postponed
from outbox.kinds import register_kind
from outbox.tables import OUTBOX, Lane, OutboxBody, OutboxStep, State
from providers import Receipt
from retry import backoff

logger = logging.getLogger(__name__)

Step = Callable[[Session, OutboxStep], None]
"""What is done for a row, in the session's transaction; it may enqueue emails, and commits not.

What it raises undoes it, and it is tried again like an email that was refused.
"""


class StepKind(Kind):
    """One step, in a transaction of its own, which ends with its row: so it is never done twice."""

    task = "step"
    repeatable = True
    judges_provider = False

    def __init__(self, take: Step) -> None:
        self._take = take

    def prepare(self, job: Job) -> Iterable[Job]:
        return [job]

    def call(self, job: Job) -> list[Answer]:
        row_id = job.rows[0].id
        try:
            with transaction() as session:
                if row := session.get(OutboxStep, row_id):
                    self._take(session, row)
                    session.flush()
                # Last, so that SQLite's other writers do not wait for what is composed.
                _remove(session, row_id, job.token)
        except Postponed as lost:
            return [lost]
        except Exception as error:
            if reason := why_unavailable(error):
                return [Postponed(f"the database cannot be used ({reason})", wait=backoff(1))]
            logger.exception("step %s failed", row_id)
            return [EmailSendError(f"{type(error).__name__}: {error}", retryable=True)]
        return [Receipt(provider=OURSELVES, message_id=None, status=0)]


def register_steps(app: Flask, take: Step) -> None:
    """Let `take` do what steps stand for."""
    register_kind(app, StepKind(take))


def enqueue_step(
    session: Session,
    kind: str,
    *,
    address: str,
    data: Mapping[str, Any],
    wait: float = 0,
    origin: str | None = None,
) -> OutboxStep:
    """Store a step about `address` in `session`'s transaction, due in `wait` seconds.

    `data` is JSON that it finds as `row.message`. No secrets: it stays until the step is done.
    """
    row = OutboxStep(
        id=new_id(), kind=kind, category="transactional", lane=Lane.STEPS, origin=origin,
        recipient=address.lower(), subject=kind, if_unknown="resend", sensitive=False,
        state=State.QUEUED, due_at=now_in(session) + timedelta(seconds=wait),
        created_at=utc_now(), pinned=False, quarantined=False, marks=[],
        body=OutboxBody(message=dict(data)),
    )  # fmt: skip
    session.add(row)
    return row


def _remove(session: Session, row_id: str, token: str) -> None:
    mine = OUTBOX.c.lease_token == token, OUTBOX.c.state == State.SENDING
    if not changed_rows(session, delete(OUTBOX).where(OUTBOX.c.id == row_id, *mine)):
        raise Postponed("another process has it now")
