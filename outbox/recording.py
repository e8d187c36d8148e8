"""Recording what became of the calls that ended: rows, attempts, timeline, providers."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import bindparam, insert, or_, update
from sqlalchemy.engine import Row
from sqlalchemy.orm import Session

from errors import AuthenticationFailed, EmailSendError, RateLimited
from extensions import email
from log_setup import email_line, mask
from message import new_id
from outbox import breaker
from outbox.batches import batch_outcomes
from outbox.breaker import States
from outbox.jobs import Answer, Held, Job, Postponed
from outbox.outcomes import Outcome, outcome_of
from outbox.refusals import refused_alone
from outbox.retention import redact_sensitive
from outbox.starting import Current, is_ours
from outbox.states import MOVES, check_move
from outbox.tables import ATTEMPTS, EVENTS, OUTBOX, AttemptOutcome, State
from providers import Receipt

logger = logging.getLogger(__name__)

LOST = "none: another process has it now"


def _set(table: Any, *columns: str) -> Any:
    """UPDATE of one row by its id, for many rows at once."""
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    return update(table).where(table.c.id == bindparam("row_id")).values(values)


_FREED: dict[str, Any] = {
    "lease_token": None,
    "lease_until": None,
    "calling_since": None,
    "quarantined": False,  # it came back alive
    "crashes": 0,
}
_ACCEPTED = _set(
    OUTBOX, "attempts", "provider", "accepted_at", "provider_message_id", "last_error", "batch_id"
).values(state=State.ACCEPTED, only_provider=None, pinned=False, unknown_since=None, **_FREED)
_OTHER = _set(
    OUTBOX, "state", "attempts", "provider", "only_provider", "pinned", "last_error", "due_at",
    "unknown_since", "batch_id", "single",
).values(**_FREED)  # fmt: skip
# Once: a turn that is taken again tells nothing new. What died came back with the true answer.
_ENDED = _set(
    ATTEMPTS, "ended_at", "outcome", "http_status", "provider_message_id", "error", "decision"
).where(or_(ATTEMPTS.c.ended_at.is_(None), ATTEMPTS.c.outcome == AttemptOutcome.WORKER_LOST))


@frozen
class Recorded:
    """What was decided about one row of a job."""

    job: Job
    row: Held
    attempt: str | None
    answer: Answer
    outcome: Outcome
    held: bool  # False: the row has gone its own way meanwhile

    @property
    def decision(self) -> str:
        """What is done about the answer, in words."""
        return self.outcome.decision(self.job.provider) if self.held else LOST


def record(
    session: Session, jobs: Sequence[Job], current: Current, states: States, moment: datetime
) -> list[Recorded]:
    """Record the answers of these jobs, whose rows are locked; `log` them after the commit."""
    told: list[Recorded] = []
    for job in jobs:
        alone = refused_alone(session, job)
        _learn(session, job, states, moment, alone)
        told += _decide(session, job, current, moment, alone)
    _write(session, told, current, moment)
    breaker.take_permits(states, calls_beyond_the_first(jobs), moment)
    for each in told:
        if each.held and each.outcome.state is State.ACCEPTED and each.row.sensitive:
            redact_sensitive(session, each.row.id, moment)
    return told


def calls_beyond_the_first(jobs: Iterable[Job]) -> Counter[str]:
    """How many calls to each provider had no permit of their own yet."""
    extra: Counter[str] = Counter()
    for job in jobs:
        if job.calls > 1:
            extra[job.provider] += job.calls - 1
    return extra


def log(told: Sequence[Recorded]) -> None:
    """One line for each row that was called, after the commit."""
    for each in told:
        if not each.held and each.attempt:
            logger.warning(
                "email %s: the lease was lost during the call, which ended as %s",
                each.row.id,
                each.outcome.state,
            )
        elif each.held and not isinstance(each.answer, Postponed):
            outcome = each.outcome
            email_line(
                logger,
                logging.INFO if outcome.state is State.ACCEPTED else logging.WARNING,
                outcome.word,
                email_id=each.row.id, to=each.row.recipient,
                provider=each.job.provider or None,
                status=outcome.status or None, message_id=outcome.message_id,
                error=outcome.error,
            )  # fmt: skip


def _learn(
    session: Session, job: Job, states: States, moment: datetime, refused_alone: bool
) -> None:
    """Not every kind says how the provider fares, but all share its rate."""
    answers: Sequence[Answer] = job.answers if job.attempts else []  # else it was not called
    if job.batch_id:  # one call: that it took some says more than why it refused others
        answers = sorted(answers, key=lambda each: not isinstance(each, Receipt))[:1]
    if not job.kind.judges_provider:
        answers = [each for each in answers if isinstance(each, RateLimited)]
    if refused_alone:
        answers = [each for each in answers if not isinstance(each, AuthenticationFailed)]
    breaker.record(session, states, job.provider, answers, moment, probe=job.probes)


def _decide(
    session: Session, job: Job, current: Current, moment: datetime, refused_alone: bool
) -> Iterator[Recorded]:
    attempts: Sequence[str | None] = job.attempts or [None] * len(job.rows)
    # Of a batch that another process has now, only what was accepted is ours to tell.
    in_batch = job.batch_id and is_ours(current, job, job.batch_id)
    outcomes = batch_outcomes(session, job, moment) if in_batch else None
    lost = job.batch_id in current and not in_batch
    for index, (row, attempt, answer) in enumerate(
        zip(job.rows, attempts, job.answers, strict=True)
    ):
        now = current.get(row.id)
        outcome = outcomes[index] if outcomes else _outcome(job, row, answer, refused_alone)
        if isinstance(answer, EmailSendError) and now is not None and now.delivery_status:
            # An event came during the call: the provider has the email, whatever we heard.
            outcome = evolve(outcome, state=State.ACCEPTED, pinned=False, error=None)
        if lost and now is not None:
            outcome = evolve(outcome, batch_id=now.batch_id)
        yield Recorded(job, row, attempt, answer, outcome, _may_settle(now, job, outcome))


def _outcome(job: Job, row: Held, answer: Answer, refused_alone: bool) -> Outcome:
    return outcome_of(
        answer,
        attempts=row.attempts + 1,
        provider=job.provider,
        chain=email.chain,
        pinned=row.pinned,
        only_provider=row.only_provider,
        repeatable=job.kind.repeatable,
        refused_alone=refused_alone and isinstance(answer, AuthenticationFailed),
    )


def _may_settle(now: Row[Any] | None, job: Job, outcome: Outcome) -> bool:
    """Whether the row is still ours, or a late yes answers what became of it meanwhile."""
    if now is None:
        return False  # removed
    if now.state == State.SENDING and now.lease_token == job.token:
        check_move(State.SENDING, outcome.state)
        return True
    if outcome.state is State.ACCEPTED:
        again = now.state == State.ACCEPTED and bool(job.attempts)
        return again or State.ACCEPTED in MOVES[State(now.state)]
    return False


def _write(session: Session, told: Sequence[Recorded], current: Current, moment: datetime) -> None:
    accepted: list[dict[str, Any]] = []
    other: list[dict[str, Any]] = []
    for each in told:
        if each.held and each.outcome.state is State.ACCEPTED:
            accepted.append(_accepted_values(each, current[each.row.id], moment))
        elif each.held:
            other.append(_other_values(each, current[each.row.id], moment))
    ended = [_attempt_values(each, moment) for each in told if each.attempt]
    for statement, rows in ((_ACCEPTED, accepted), (_OTHER, other), (_ENDED, ended)):
        if rows:
            session.execute(statement, sorted(rows, key=lambda row: str(row["row_id"])))
    uncalled = ((each, _event_type(each)) for each in told if each.held and not each.attempt)
    if events := [_event_values(each, what, moment) for each, what in uncalled if what]:
        session.execute(insert(EVENTS), events)


def _accepted_values(each: Recorded, now: Row[Any], moment: datetime) -> dict[str, Any]:
    return {
        "row_id": each.row.id,
        "attempts": each.outcome.attempts,
        "provider": each.job.provider,
        "accepted_at": now.accepted_at or moment,
        # An event may have brought it already.
        "provider_message_id": each.outcome.message_id or now.provider_message_id,
        "last_error": each.outcome.error,
        "batch_id": each.outcome.batch_id,  # whose bytes stay as they were while it is repeated
    }


def _other_values(each: Recorded, now: Row[Any], moment: datetime) -> dict[str, Any]:
    single = now.single or each.outcome.single
    return {"row_id": each.row.id, "single": single, **each.outcome.values(moment)}


def _attempt_values(each: Recorded, moment: datetime) -> dict[str, Any]:
    answer = each.answer
    values: dict[str, Any] = {
        "row_id": each.attempt,
        "ended_at": moment,
        "outcome": _attempt_outcome(answer),
        "decision": each.decision,
        "http_status": getattr(answer, "status", 0) or None,
        "provider_message_id": None,
        "error": None,
    }
    if isinstance(answer, Receipt):
        values |= {
            "provider_message_id": answer.message_id,
            "error": "; ".join(answer.notes) or None,
        }
    else:
        values["error"] = mask(str(answer))
    return values


def _event_type(each: Recorded) -> str | None:
    """The line of the timeline for a row that was not called; None if it needs none."""
    if each.outcome.state is State.UNKNOWN:
        return State.UNKNOWN
    if isinstance(each.answer, Postponed):
        moved = each.answer.only_provider
        return AttemptOutcome.UNSUPPORTED_FEATURE if moved else None
    return _attempt_outcome(each.answer)


def _event_values(each: Recorded, what: str, moment: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "email_id": each.row.id,
        "at": moment,
        "type": what,
        "detail": f"{mask(str(each.answer))} ({each.decision})",
    }


def _attempt_outcome(answer: Answer) -> AttemptOutcome:
    if isinstance(answer, Receipt):
        return AttemptOutcome.ACCEPTED
    return AttemptOutcome(answer.code if isinstance(answer, EmailSendError) else "failed")
