"""The kinds of rows: how each is prepared and called, and whether it may be repeated.

A room above the outbox may register a kind of its own; the engine treats them all alike.
"""

import hashlib
import logging
import time
from collections.abc import Iterable
from typing import Any

from flask import Flask, current_app

from errors import (
    EmailSendError,
    OutcomeUnknown,
    UnsupportedFeature,
)
from extensions import email
from message import EmailMessage, UnreadableMessage, from_json
from outbox.jobs import Answer, Job, Kind, NotRepeated, Postponed, unreadable
from providers import WireRequest

logger = logging.getLogger(__name__)


class EmailKind(Kind):
    """One email, one call."""

    task = "email"
    obeys_suppression = True

    def prepare(self, job: Job) -> Iterable[Job]:
        try:
            job.request = build(job, job.rows[0].id, job.stored[0])
            job.hashes = [hash_of_bytes(job.request)]
        except (EmailSendError, Postponed) as error:
            job.answer_all(error)
        return [job]

    def call(self, job: Job) -> list[Answer]:
        try:
            return [email.post(job.provider, job.request)]
        except EmailSendError as error:
            return [error]
        except Exception as error:
            return [unclear(job, error)]


class BatchKind(Kind):
    """Emails that share one call: all are accepted, or each is told why it was not."""

    task = "batch"

    def prepare(self, job: Job) -> Iterable[Job]:
        """The batch, and apart from it the emails that could not be built."""
        requests: list[WireRequest] = []
        apart: list[Job] = []
        kept: list[int] = []
        for index, row in enumerate(job.rows):
            try:
                requests.append(build(job, row.id, job.stored[index]))
                kept.append(index)
            except (EmailSendError, Postponed) as error:
                apart.append(_alone(job, index))
                apart[-1].answer_all(error)
        if job.batch and apart:
            waits = (each.answers[0] for each in apart if isinstance(each.answers[0], Postponed))
            job.answer_all(next((each for each in waits if each.wait), NotRepeated()))
            return [job]
        if len(kept) == 1:
            return [*apart, *_single(job, kept[0], requests[0])]
        if kept:
            job.rows = [job.rows[index] for index in kept]
            job.stored = [job.stored[index] for index in kept]
            job.hashes = [hash_of_bytes(request) for request in requests]
            job.request = email.build_batch(job.provider, requests, job.batch_id or "")
            return [*apart, job]
        return apart

    def call(self, job: Job) -> list[Answer]:
        try:
            return list(email.post_batch(job.provider, job.request, len(job.rows)))
        except EmailSendError as error:
            return [error] * len(job.rows)
        except Exception as error:
            return [unclear(job, error)] * len(job.rows)


def kind_of_row(task: str) -> Kind:
    """How rows of this `task` are treated. Raises `KeyError` for one that is not registered."""
    kinds: dict[str, Kind] = current_app.extensions["row_kinds"]
    return kinds[task]


def known_tasks() -> list[str]:
    """The kinds of rows that this code knows. Rows of others are left to newer code."""
    return [*current_app.extensions["row_kinds"]]


def register_kind(app: Flask, kind: Kind) -> None:
    """Let rows of `kind.task` be prepared and called by `kind`."""
    app.extensions.setdefault("row_kinds", {})[kind.task] = kind


def register_kinds(app: Flask) -> None:
    """The kinds that make emails go."""
    for kind in (EmailKind(), BatchKind()):
        register_kind(app, kind)


def build(job: Job, row_id: str, stored: dict[str, Any]) -> WireRequest:
    """The wire form of one email for the job's provider.

    Raises `Postponed` if only another provider can express it, only newer code can read it, or it
    cannot share a call.
    """
    try:
        message = from_json(stored)
    except UnreadableMessage as error:
        raise unreadable(error) from error
    if job.batch_id and not email.provider(job.provider).may_batch(message):
        raise Postponed("it goes out alone", single=True)
    try:
        job.redirected_to = email.redirect_to.email if email.redirect_to else None
        return email.build(job.provider, message, row_id)
    except UnsupportedFeature as error:
        if other := _other_provider(job, row_id, message):
            raise Postponed(str(error), only_provider=other) from error
        error.failover_safe = False  # all were asked
        raise


def _other_provider(job: Job, row_id: str, message: EmailMessage) -> str | None:
    """The next provider that can express the message, one that is paused only if no other can."""
    if not next(row for row in job.rows if row.id == row_id).may_move:
        return None
    here = email.chain.index(job.provider)
    others = [*email.chain[here + 1 :], *email.chain[:here]]
    for name in sorted(others, key=lambda each: each not in job.unpaused):
        try:
            email.build(name, message, row_id)
        except EmailSendError:
            continue
        return name
    return None


def hash_of_bytes(request: WireRequest) -> str:
    """The SHA-256 of what is posted, which a repeat under the same key must match."""
    return hashlib.sha256(request.body).hexdigest()


def unclear(job: Job, error: Exception) -> OutcomeUnknown:
    """The answer of a call that broke in our code: it may have been accepted."""
    logger.error("%s: calling %s broke", job.rows[0].id, job.provider, exc_info=error)
    keyed = email.provider(job.provider).capabilities.idempotency_window > 0
    return OutcomeUnknown(f"{type(error).__name__} while calling {job.provider}", retryable=keyed)


def _alone(job: Job, index: int) -> Job:
    """The job of one member by itself."""
    return Job(
        kind=kind_of_row(job.rows[index].task),
        lane=job.lane,
        provider=job.provider,
        token=job.token,
        lease_until=job.lease_until,
        deadline=job.deadline,
        unpaused=job.unpaused,
        probes=job.probes,
        rows=[job.rows[index]],
        stored=[job.stored[index]],
    )


def _single(job: Job, index: int, request: WireRequest) -> list[Job]:
    alone = _alone(job, index)
    alone.redirected_to = job.redirected_to
    alone.request, alone.hashes = request, [hash_of_bytes(request)]
    return [alone]


def call(job: Job) -> None:
    """Make the call of a started job, and keep its answers. Raises nothing.

    One that waited so long for a thread that its lease would end first is not called.
    """
    if time.monotonic() + current_app.config["EMAIL_TIMEOUT"] > job.deadline:
        job.answer_all(Postponed("not called: it waited too long for a free thread"))
        return
    try:
        job.answers = job.kind.call(job)
    except Exception as error:
        job.answer_all(unclear(job, error))
