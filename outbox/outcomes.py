"""What an answer means for the row: which state, when again, with which provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from errors import EmailSendError, InvalidMessage, OutcomeUnknown, RateLimited
from log_setup import mask
from outbox.breaker import WORTH_WAITING
from outbox.jobs import Answer, NotRepeated, Postponed
from outbox.tables import State
from providers import Receipt
from retry import backoff

MAX_ATTEMPTS = 20
CONFLICT = 409


@frozen(kw_only=True)
class Outcome:
    """The next state of a row. `wait` is seconds until it is due again, if it is."""

    state: State
    attempts: int
    provider: str | None
    only_provider: str | None = None
    pinned: bool = False
    single: bool = False  # from now on never part of a batch
    batch_id: str | None = None  # of the batch that it goes on waiting in
    wait: float = 0
    status: int = 0
    message_id: str | None = None
    error: str | None = None

    @property
    def word(self) -> str:
        """The word of the log line."""
        return "retried" if self.state is State.QUEUED else str(self.state)

    def decision(self, asked: str) -> str:
        """What is done about the answer of provider `asked`, in words."""
        if self.state is not State.QUEUED:
            return str(self.state)
        if self.provider and self.provider != asked:
            return f"{self.provider} is tried next"
        return f"again in {self.wait:.0f} s"

    def values(self, moment: datetime) -> dict[str, Any]:
        """The columns that change with the state."""
        queued = self.state is State.QUEUED
        return {
            "state": self.state,
            "attempts": self.attempts,
            "provider": self.provider or None,
            "only_provider": self.only_provider or None,
            "pinned": self.pinned,
            "batch_id": self.batch_id,
            "last_error": self.error,
            "due_at": moment + timedelta(seconds=self.wait) if queued else moment,
            "unknown_since": moment if self.state is State.UNKNOWN else None,
        }


def outcome_of(
    answer: Answer,
    *,
    attempts: int,
    provider: str,
    chain: Sequence[str],
    pinned: bool,
    only_provider: str | None = None,
    repeatable: bool = False,
    refused_alone: bool = False,
) -> Outcome:
    """Read a provider's answer to call number `attempts` (from 1), as errors.py says it.

    After a refusal that is safe to move on from, the next provider of `chain` is tried at once,
    and the first again after a wait. A `pinned` row stays with its provider: an earlier call of
    it may have been accepted there. What is `repeatable` without harm never ends as unknown.
    `refused_alone` says that the provider takes other rows: then a refusal is this row's own.
    """
    plain = Outcome(
        state=State.QUEUED, attempts=attempts, provider=provider, pinned=pinned,
        only_provider=provider if pinned else only_provider,
    )  # fmt: skip
    if isinstance(answer, Receipt):
        return _accepted(plain, answer, repeatable)
    if isinstance(answer, Postponed):
        return _postponed(plain, answer)
    open_question = isinstance(answer, OutcomeUnknown)
    failed = evolve(
        plain, state=State.FAILED, status=answer.status, error=mask(f"{answer.code}: {answer}"),
        pinned=pinned or open_question, only_provider=provider if open_question else
        plain.only_provider,
    )  # fmt: skip
    free = not pinned and only_provider is None
    outcome = _after_error(failed, answer, chain if free else (), refused_alone)
    if answer.failover_safe and not (outcome.pinned or repeatable):
        outcome = evolve(outcome, only_provider=None)  # another that can express it may be well
    given_up = repeatable and outcome.state is State.UNKNOWN
    return evolve(outcome, state=State.FAILED) if given_up else outcome


def _accepted(plain: Outcome, receipt: Receipt, repeatable: bool) -> Outcome:
    # What is repeatable has no need of an id.
    nameless = not (receipt.message_id or repeatable)
    error = f"{plain.provider} accepted it without giving an id" if nameless else None
    return evolve(
        plain, state=State.ACCEPTED, pinned=False, status=receipt.status,
        message_id=receipt.message_id, error=error,
    )  # fmt: skip


def _postponed(plain: Outcome, postponed: Postponed) -> Outcome:
    """Not called, so it costs no attempt."""
    told = evolve(plain, attempts=plain.attempts - 1, error=mask(str(postponed)))
    if isinstance(postponed, NotRepeated):
        return evolve(told, state=State.UNKNOWN)
    only = postponed.only_provider or told.only_provider
    return evolve(
        told, wait=postponed.wait, only_provider=only, single=postponed.single,
        provider=postponed.only_provider or told.provider,
    )  # fmt: skip


def _after_error(
    failed: Outcome, error: EmailSendError, chain: Sequence[str], refused_alone: bool
) -> Outcome:
    following = _after(failed.provider, chain)
    uncounted = failed.attempts - 1
    stay = failed.provider if failed.pinned else None
    again = evolve(failed, state=State.QUEUED, provider=stay)
    if following and (error.failover_safe or _is_long_wait(error)):
        return evolve(again, attempts=uncounted, provider=following)
    bounded = error.costs_attempt or refused_alone or error.status == CONFLICT
    if not bounded:
        # A refused key or a spent quota pauses the provider; the row itself need not wait longer.
        wait = backoff(1) if error.pauses_provider else max(backoff(1), error.retry_after or 0)
        return evolve(again, attempts=uncounted, wait=wait)
    if (error.retryable or refused_alone) and failed.attempts < MAX_ATTEMPTS:
        return evolve(again, wait=max(backoff(failed.attempts), error.retry_after or 0))
    # Attempts are spent. A row that may have been accepted earlier has not failed for certain, nor
    # has one whose key the provider knows with other bytes.
    conflict = isinstance(error, InvalidMessage) and error.status == CONFLICT
    open_question = isinstance(error, OutcomeUnknown) or (
        failed.pinned and (error.retryable or refused_alone or conflict)
    )
    return evolve(failed, state=State.UNKNOWN) if open_question else failed


def _is_long_wait(error: EmailSendError) -> bool:
    return isinstance(error, RateLimited) and (error.retry_after or 0) > WORTH_WAITING


def _after(provider: str | None, chain: Sequence[str]) -> str | None:
    if provider not in chain:
        return None
    return next(iter(chain[chain.index(provider) + 1 :]), None)
