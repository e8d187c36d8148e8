"""Every way an email can fail, as one tree.

The error is made where the provider's answer is understood, so it knows what may be done next.

EmailSendError            status, retryable, retry_after, failover_safe, trips_breaker
├── InvalidMessage        the message itself is refused: by us at the door, or by the provider
│   └── IntentConflict    the same intent key came with another message
├── UnsupportedFeature    this provider cannot express the message; nothing was called
├── AuthenticationFailed  key, scope or sender refused, or a redirect: check key and base URL
├── QuotaExceeded         the account's allowance is spent
├── RateLimited           too fast; come back after `retry_after`
├── ProviderUnavailable   refused, unreachable, or a clear "not accepted" (500, 503)
└── OutcomeUnknown        nobody can say whether the provider accepted it

ConfigurationError        outside the tree, so that no retry can swallow it
"""

from typing import ClassVar


class ConfigurationError(Exception):
    """The settings cannot work; the message lists each one and what to do about it."""


class EmailSendError(Exception):
    """An email could not be handed over.

    `status` is the HTTP status, 0 when there was none. `retryable` says whether the same call may
    succeed later, `retry_after` in how many seconds (None: choose yourself). `failover_safe` says
    whether another provider may be tried without risking a second copy; `trips_breaker` whether
    the fault is the provider's and not the message's. `costs_attempt` says whether the outbox
    counts the try, `pauses_provider` whether no call can succeed for a while. `reached` is false
    where this machine never got through to the provider (DNS, refused, TLS), which says nothing
    about others. `code` is the word for this kind of error in rows, timelines and log lines.
    """

    code: ClassVar[str] = "failed"
    retryable: bool = False
    failover_safe: bool = False
    trips_breaker: bool = False
    costs_attempt: ClassVar[bool] = True
    pauses_provider: bool = False

    def __init__(
        self,
        message: str,
        status: int = 0,
        retryable: bool | None = None,
        *,
        retry_after: float | None = None,
        failover_safe: bool | None = None,
        provider: str | None = None,
        reached: bool = True,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reached = reached
        self.retry_after = retry_after
        self.provider = provider
        if retryable is not None:
            self.retryable = retryable
        if failover_safe is not None:
            self.failover_safe = failover_safe


class InvalidMessage(EmailSendError):
    """The message is refused and would be refused again. `field` names what is wrong, if known."""

    code = "invalid_message"

    def __init__(
        self,
        message: str,
        status: int = 0,
        *,
        field: str | None = None,
        provider: str | None = None,
    ) -> None:
        super().__init__(message, status, provider=provider)
        self.field = field


class IntentConflict(InvalidMessage):
    """The intent key was used before, for a message with other content."""


class UnsupportedFeature(EmailSendError):
    """The provider lacks something that would change the email; raised before any call."""

    code = "unsupported_feature"
    failover_safe = True


class AuthenticationFailed(EmailSendError):
    """The provider refuses us, not the message: key, scope, sender identity or base URL."""

    code = "authentication_failed"
    failover_safe = True
    trips_breaker = True
    costs_attempt = False
    pauses_provider = True


class QuotaExceeded(EmailSendError):
    """The account's daily or monthly allowance is spent; the next window may succeed."""

    code = "quota_exceeded"
    retryable = True
    failover_safe = True
    trips_breaker = True
    costs_attempt = False
    pauses_provider = True


class RateLimited(EmailSendError):
    """Too many requests for now. Moving on to another provider pays only if the wait is long."""

    code = "rate_limited"
    retryable = True
    costs_attempt = False


class ProviderUnavailable(EmailSendError):
    """The provider was not reached, or clearly said that it did not accept the email."""

    code = "provider_unavailable"
    retryable = True
    failover_safe = True
    trips_breaker = True


class OutcomeUnknown(EmailSendError):
    """The provider may have accepted it: only the same provider, key and bytes may repeat it.

    `retryable` is true where the provider honours an idempotency key.
    """

    code = "outcome_unknown"
    trips_breaker = True
