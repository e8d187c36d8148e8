"""What an answer means for the row: which state, when again, with which provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from errors import EmailSendError, OutcomeUnknown, RateLimited
from log_setup import mask
from outbox.breaker import WORTH_WAITING
from outbox.tables import State
from providers import Receipt
from retry import backoff

MAX_ATTEMPTS = 20


@frozen(kw_only=True)
class Outcome:
    """The next state of a row. `wait` is seconds until it is due again, if it is."""

    state: State
    attempts: int
    provider: str | None
    pinned: bool = False
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
        values: dict[str, Any] = {
            "attempts": self.attempts,
            "provider": self.provider,
            "pinned": self.pinned,
            "quarantined": False,  # it came back alive
            "crashes": 0,
            "last_error": self.error,
        }
        if self.state is State.ACCEPTED:
            values |= {"accepted_at": moment, "provider_message_id": self.message_id}
        elif self.state is State.QUEUED:
            values |= {"due_at": moment + timedelta(seconds=self.wait)}
        elif self.state is State.UNKNOWN:
            values |= {"unknown_since": moment}
        return values


def outcome_of(
    answer: Receipt | Exception,
    *,
    attempts: int,
    provider: str,
    chain: Sequence[str],
    pinned: bool,
    repeatable: bool = False,
) -> Outcome:
    """Read a provider's answer to call number `attempts` (from 1), as errors.py says it.

    After a refusal that is safe to move on from, the next provider of `chain` is tried at once,
    and the first again after a wait. A `pinned` row stays with its provider: an earlier call of
    it may have been accepted there. What is `repeatable` without harm never ends as unknown.
    """
    if isinstance(answer, Receipt):
        return Outcome(
            state=State.ACCEPTED,
            attempts=attempts,
            provider=provider,
            status=answer.status,
            message_id=answer.message_id,
            error=None
            if answer.message_id or repeatable  # a change of a subscriber has none
            else f"{provider} accepted it without giving an id",
        )
    if not isinstance(answer, EmailSendError):
        answer = EmailSendError(f"{type(answer).__name__}: {answer}", provider=provider)
    failed = Outcome(
        state=State.FAILED,
        attempts=attempts,
        provider=provider,
        pinned=pinned or isinstance(answer, OutcomeUnknown),
        status=answer.status,
        error=mask(f"{answer.code}: {answer}"),
    )
    outcome = _after_error(failed, answer, () if pinned else chain)
    given_up = repeatable and outcome.state is State.UNKNOWN
    return evolve(outcome, state=State.FAILED) if given_up else outcome


def _after_error(failed: Outcome, error: EmailSendError, chain: Sequence[str]) -> Outcome:
    following = _after(failed.provider, chain)
    uncounted = failed.attempts - 1
    stay = failed.provider if failed.pinned else None
    if following and (error.failover_safe or _is_long_wait(error)):
        return evolve(failed, state=State.QUEUED, attempts=uncounted, provider=following)
    if not error.costs_attempt:
        # A refused key or a spent quota pauses the provider; the row itself need not wait longer.
        wait = backoff(1) if error.pauses_provider else max(backoff(1), error.retry_after or 0)
        return evolve(failed, state=State.QUEUED, attempts=uncounted, provider=stay, wait=wait)
    if error.retryable and failed.attempts < MAX_ATTEMPTS:
        wait = max(backoff(failed.attempts), error.retry_after or 0)
        return evolve(failed, state=State.QUEUED, provider=stay, wait=wait)
    # Attempts are spent. A row that may have been accepted earlier has not failed for certain.
    open_question = isinstance(error, OutcomeUnknown) or (failed.pinned and error.retryable)
    return evolve(failed, state=State.UNKNOWN) if open_question else failed


def _is_long_wait(error: EmailSendError) -> bool:
    return isinstance(error, RateLimited) and (error.retry_after or 0) > WORTH_WAITING


def _after(provider: str | None, chain: Sequence[str]) -> str | None:
    if provider not in chain:
        return None
    return next(iter(chain[chain.index(provider) + 1 :]), None)
