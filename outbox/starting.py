"""Committing which provider gets which bytes, before it gets them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from extensions import email
from message import new_id
from outbox.jobs import Job, NotRepeated, Postponed
from outbox.tables import ATTEMPTS, OPEN_OUTCOMES, OUTBOX, Lane, OutboxBatch, OutboxBody, State

_CALLING = (
    update(OUTBOX)
    .where(OUTBOX.c.id == bindparam("row_id"))
    .values(
        calling_since=bindparam("calling_since"),
        provider=bindparam("provider"),
        batch_id=bindparam("batch_id"),
        batch_position=bindparam("batch_position"),
    )
)

Current = Mapping[str, Row[Any]]
"""The rows of all jobs as they stand now, locked."""


def start(session: Session, jobs: Sequence[Job], current: Current, moment: datetime) -> list[Job]:
    """Record a call for each job that may be made now; those that may not have their answers.

    A job whose lease was lost has none either way: it is left out, and others have its rows.
    """
    timeout = timedelta(seconds=current_app.config["EMAIL_TIMEOUT"])
    started: list[Job] = []
    for job in jobs:
        held = [job.batch.id] if job.batch else [row.id for row in job.rows]
        if not all(is_ours(current, job, row_id) for row_id in held):
            job.answer_all(Postponed("another process has one of its rows"))
        elif moment + timeout >= job.lease_until:
            job.answer_all(Postponed("its lease ends before the call could"))
        elif not _repeats_safely(session, job, moment):
            job.answer_all(NotRepeated())
        else:
            started.append(job)
    # A commit whose answer got lost may have started some of them already.
    if new := [job for job in started if not _was_started(job, current)]:
        _insert_batches(session, new, moment)
        session.execute(_CALLING, [each for job in new for each in _calling(job, moment)])
        _insert_attempts(session, [job for job in new if job.lane is not Lane.STEPS], moment)
    return started


def _was_started(job: Job, current: Current) -> bool:
    first = job.batch or job.rows[0]
    return bool(job.attempts) and current[first.id].calling_since is not None


def is_ours(current: Current, job: Job, row_id: str) -> bool:
    """Whether the row is still held by this job."""
    row = current.get(row_id)
    return row is not None and row.state == State.SENDING and row.lease_token == job.token


def _calling(job: Job, moment: datetime) -> list[dict[str, Any]]:
    common = {"calling_since": moment, "provider": job.provider or None}
    if job.batch:  # its emails point to it already
        return [{"row_id": job.batch.id, "batch_id": None, "batch_position": None, **common}]
    return [
        {
            "row_id": row.id,
            "batch_id": job.batch_id,
            "batch_position": position if job.batch_id else None,
            **common,
        }
        for position, row in enumerate(job.rows)
    ]


def _insert_attempts(session: Session, jobs: Sequence[Job], moment: datetime) -> None:
    rows = []
    for job in jobs:
        job.attempts = [new_id() for _ in job.rows]
        rows += [
            {
                "id": attempt_id,
                "email_id": row.id,
                "provider": job.provider,
                "redirected_to": job.redirected_to,
                "wire_hash": wire_hash,
                "started_at": moment,
            }
            for attempt_id, row, wire_hash in zip(job.attempts, job.rows, job.hashes, strict=True)
        ]
    if rows:
        session.execute(insert(ATTEMPTS), rows)


def _insert_batches(session: Session, jobs: Sequence[Job], moment: datetime) -> None:
    """A batch is a row as well: its bytes, lease and attempts are its own."""
    for job in jobs:
        if job.batch_id is None or job.batch is not None:
            continue
        session.add(
            OutboxBatch(
                id=job.batch_id, kind="batch", category=job.rows[0].category, lane=job.lane,
                recipient="", subject=f"{len(job.rows)} emails", if_unknown="hold",
                sensitive=False, state=State.SENDING, due_at=moment, created_at=moment,
                lease_token=job.token, lease_until=job.lease_until, calling_since=moment,
                provider=job.provider, only_provider=job.provider,
                body=OutboxBody(message={"hash": batch_hash(job)}),
            )
        )  # fmt: skip
    session.flush()


def batch_hash(job: Job) -> str:
    """What a repeat of the batch must post again: the bytes of its emails, in their order."""
    return hashlib.sha256("".join(job.hashes).encode()).hexdigest()


def _repeats_safely(session: Session, job: Job, moment: datetime) -> bool:
    """Whether a repeat cannot become a second copy: same provider and bytes, inside its window."""
    rows = [row for row in job.rows if row.pinned]
    if not rows or job.kind.repeatable:
        return True
    if job.provider not in email.chain or any(row.provider != job.provider for row in rows):
        return False
    if job.batch and job.batch_hash != batch_hash(job):
        return False
    window = timedelta(seconds=email.provider(job.provider).capabilities.idempotency_window)
    posted = dict(zip((row.id for row in job.rows), job.hashes, strict=True))
    earlier = select(
        ATTEMPTS.c.email_id, ATTEMPTS.c.provider, ATTEMPTS.c.wire_hash, ATTEMPTS.c.started_at
    ).where(
        ATTEMPTS.c.email_id.in_([row.id for row in rows]), ATTEMPTS.c.outcome.in_(OPEN_OUTCOMES)
    )
    return all(
        each.provider == job.provider
        and each.wire_hash == posted[each.email_id]
        and moment < each.started_at + window
        for each in session.execute(earlier)
    )
