"""Claimed rows to the provider, and the outcome back into the row."""

import hashlib
import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve
from flask import current_app
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from database import changed_rows, now, transaction
from errors import EmailSendError, OutcomeUnknown, RateLimited
from extensions import email
from log_setup import email_line, mask
from message import from_json
from outbox import changes
from outbox.breaker import record
from outbox.claim import Claimed, claim, quarantined_is_due
from outbox.outcomes import Outcome, outcome_of
from outbox.retention import redact_accepted
from outbox.shared_lock import SharedLock
from outbox.states import move
from outbox.tables import OPEN_OUTCOMES, Attempt, AttemptOutcome, OutboxRow, State
from outbox.timeline import add_event
from providers import Receipt

logger = logging.getLogger(__name__)

NOT_REPEATED = (
    "an earlier try may have been accepted, and a repeat is not safe: its bytes or provider would "
    "differ, or the provider has forgotten its key"
)
RECORD_PAUSES = (0.2, 1.0, 2.0)  # seconds between tries to record an outcome

lock = SharedLock()


def deliver(email_id: str) -> bool:
    """Claim one email and send it now; False if it was not due or somebody else holds it."""
    with lock.shared():
        claims = claim(1, ids=[email_id])
        _deliver_all(claims)
    return bool(claims)


def deliver_claimed(claims: Sequence[Claimed]) -> None:
    """Send rows that `claim` has leased, and record what became of each. Raises nothing."""
    with lock.shared():
        _deliver_all(claims)


def deliver_quarantined() -> bool:
    """Deliver one row with which a worker died, while nothing else is in flight here.

    If this process dies too, it was that row. False if no such row is due.
    """
    if not quarantined_is_due():
        return False  # asked first, because being alone holds everybody up
    with lock.exclusive():
        claims = claim(1, quarantined=True)
        _deliver_all(claims)
    return bool(claims)


def _deliver_all(claims: Sequence[Claimed]) -> None:
    for claimed in claims:
        try:
            _deliver_one(claimed)
        except Exception:
            # The lease ends by itself, and the sweeper decides what that means.
            logger.exception("email %s: its outcome could not be recorded", claimed.id)


def _deliver_one(claimed: Claimed) -> None:
    if claimed.task == "subscriber":
        return _change_subscriber(claimed)
    provider = claimed.provider
    try:
        message = from_json(claimed.stored)
        request = email.build(provider, message, claimed.id)
    except Exception as error:
        if not isinstance(error, EmailSendError):
            logger.exception("email %s: it could not be built for %s", claimed.id, provider)
        return _finish(claimed, provider, None, error)
    wire_hash = hashlib.sha256(request.body).hexdigest()
    attempt = _begin_call(claimed, provider, wire_hash)
    if attempt is None:
        return None
    try:
        answer: Receipt | Exception = email.post(provider, request)
    except EmailSendError as error:
        answer = error
    except Exception as error:
        logger.exception("email %s: calling %s broke", claimed.id, provider)
        keyed = email.provider(provider).capabilities.idempotency_window > 0
        answer = OutcomeUnknown(f"{type(error).__name__} while calling {provider}", retryable=keyed)
    return _finish(claimed, provider, attempt, answer)


def _change_subscriber(claimed: Claimed) -> None:
    attempt = _begin_call(claimed, claimed.provider, changes.hash_of(claimed.stored))
    if attempt is None:
        return
    try:
        answer: Receipt | Exception = changes.call(claimed.provider, claimed.stored, claimed.id)
    except EmailSendError as error:
        answer = error
    except Exception as error:
        logger.exception("change %s: calling %s broke", claimed.id, claimed.provider)
        answer = error
    _finish(claimed, claimed.provider, attempt, answer)


def _begin_call(claimed: Claimed, provider: str, wire_hash: str) -> str | None:
    """Commit which provider gets which bytes, before it gets them; None if that must not be."""
    with transaction() as session:
        moment = now(session)
        timeout = timedelta(seconds=current_app.config["EMAIL_TIMEOUT"])
        if moment + timeout >= claimed.lease_until:
            move(session, claimed.id, State.SENDING, State.QUEUED, token=claimed.token)
            return None
        asks = claimed.pinned and claimed.task == "email"  # a change may always be repeated
        if asks and not _repeats_safely(session, claimed, wire_hash, moment):
            move(
                session, claimed.id, State.SENDING, State.UNKNOWN, token=claimed.token,
                unknown_since=moment, last_error=NOT_REPEATED,
            )  # fmt: skip
            add_event(session, claimed.id, State.UNKNOWN, NOT_REPEATED, at=moment)
            return None
        held = changed_rows(
            session,
            update(OutboxRow)
            .where(OutboxRow.id == claimed.id, OutboxRow.lease_token == claimed.token)
            .values(provider=provider, calling_since=moment),
        )
        if not held:
            logger.warning("email %s: the lease was lost before the call", claimed.id)
            return None
        attempt = Attempt(
            email_id=claimed.id, provider=provider, wire_hash=wire_hash, started_at=moment
        )
        session.add(attempt)
        session.flush()
        return attempt.id


def _repeats_safely(session: Session, claimed: Claimed, wire_hash: str, moment: datetime) -> bool:
    """Whether the provider will recognise this call as the one whose outcome is unknown."""
    statement = select(Attempt).where(
        Attempt.email_id == claimed.id, Attempt.outcome.in_(OPEN_OUTCOMES)
    )
    window = timedelta(seconds=email.provider(claimed.provider).capabilities.idempotency_window)
    return all(
        (attempt.provider, attempt.wire_hash) == (claimed.provider, wire_hash)
        and moment < attempt.started_at + window
        for attempt in session.scalars(statement)
    )


def _finish(
    claimed: Claimed, provider: str, attempt_id: str | None, answer: Receipt | Exception
) -> None:
    """Record the outcome; a database that is away for a moment does not cost a known answer."""
    for pause in (*RECORD_PAUSES, None):
        try:
            return _record(claimed, provider, attempt_id, answer)
        except OperationalError:
            if pause is None:
                logger.error("email %s: not recorded: %s", claimed.id, mask(str(answer)))
                raise
            time.sleep(pause)
    return None


def _record(
    claimed: Claimed, provider: str, attempt_id: str | None, answer: Receipt | Exception
) -> None:
    with transaction() as session:
        moment = now(session)
        # How a change fares says nothing about sending, but its rate limit is the same one.
        if claimed.task == "email" or isinstance(answer, RateLimited):
            record(session, provider, answer, moment)
        outcome = outcome_of(
            answer, attempts=claimed.attempts + 1, provider=provider,
            chain=email.chain, pinned=claimed.pinned, repeatable=claimed.task != "email",
        )  # fmt: skip
        if isinstance(answer, OutcomeUnknown) and _was_reported(session, claimed.id):
            outcome = evolve(outcome, state=State.ACCEPTED, pinned=False, error=None)
        values = outcome.values(moment)
        held = move(
            session, claimed.id, State.SENDING, outcome.state, token=claimed.token, **values
        )
        if not held and outcome.state is State.ACCEPTED:
            # The lease was lost, but a late yes still answers what nobody knew.
            held = move(session, claimed.id, State.UNKNOWN, State.ACCEPTED, **values)
        if held and outcome.state is State.ACCEPTED and claimed.sensitive:
            redact_accepted(session, claimed.id, moment)
        decision = outcome.decision(provider) if held else "none: another process has it now"
        if attempt_id:
            _end_attempt(session, attempt_id, answer, ended_at=moment, decision=decision)
        else:
            detail = f"{mask(str(answer))} ({decision})"
            add_event(session, claimed.id, _attempt_outcome(answer), detail, at=moment)
    if held:
        _log(claimed, provider, outcome)
    else:
        logger.warning(
            "email %s: the lease was lost during the call, which ended as %s",
            claimed.id,
            outcome.state,
        )


def _was_reported(session: Session, row_id: str) -> bool:
    """Whether an event came during the call: then the provider has the email, whatever we heard."""
    reported = select(OutboxRow.delivery_status).where(OutboxRow.id == row_id).with_for_update()
    return session.scalar(reported) is not None


def _attempt_outcome(answer: Receipt | Exception) -> AttemptOutcome:
    if isinstance(answer, Receipt):
        return AttemptOutcome.ACCEPTED
    return AttemptOutcome(answer.code if isinstance(answer, EmailSendError) else "failed")


def _end_attempt(
    session: Session, attempt_id: str, answer: Receipt | Exception, **values: Any
) -> None:
    values["outcome"] = _attempt_outcome(answer)
    if isinstance(answer, Receipt):
        values |= {
            "http_status": answer.status,
            "provider_message_id": answer.message_id,
            "error": "; ".join(answer.notes) or None,
        }
    else:
        values |= {
            "http_status": getattr(answer, "status", 0) or None,
            "error": mask(str(answer)),
        }
    session.execute(update(Attempt).where(Attempt.id == attempt_id).values(values))


def _log(claimed: Claimed, provider: str, outcome: Outcome) -> None:
    level = logging.INFO if outcome.state is State.ACCEPTED else logging.WARNING
    email_line(
        logger, level, outcome.word, email_id=claimed.id, to=claimed.recipient, provider=provider,
        status=outcome.status or None, message_id=outcome.message_id, error=outcome.error,
    )  # fmt: skip
