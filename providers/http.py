"""What the HTTP providers share: the one call, and the reading of its answer."""

import re
import time
from abc import abstractmethod
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Self

import requests
from urllib3.exceptions import HTTPError

from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    UnsupportedFeature,
)
from providers.base import Answer, KeyCheck, Provider, Receipt, WireRequest
from providers.changes import SubscriberChange
from providers.deadline import Exchange
from providers.subscribers import Subscribers
from providers.transport import Channel
from setting_types import Rate, Setting, call_rate, header_value, secure_url

MAX_ANSWER = 1024 * 1024  # bytes; a receipt has a few hundred, a list of 500 fields 100,000
SHORTEST_KEY = 8  # characters; a shorter one ("any", at a simulator) is part of ordinary words
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0  # seconds we believe a Retry-After

_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")  # what no log line or column should hold


class HttpProvider(Provider):
    """A provider behind an HTTP API with a bearer key.

    `timeout` (seconds) bounds the whole call, a dripping answer included. Each sending thread keeps
    its connection. `rate` is how fast it may be called, by all processes together.
    """

    default_url: ClassVar[str]
    default_rate: ClassVar[str] = "off"  # as in its setting
    burst: ClassVar[int] = 1  # calls that it takes at once after a pause, within the rate
    subscribers: ClassVar[type[Subscribers] | None] = None  # its marketing side, if it has one
    key_check_path: ClassVar[str | None] = None  # a GET that changes nothing and judges the key

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """`<NAME>_API_KEY`, `<NAME>_BASE_URL` and `<NAME>_RATE`, and those of the webhook."""
        prefix = cls.name.upper()
        return (
            Setting(f"{prefix}_API_KEY", header_value, required_for=cls.name),
            Setting(f"{prefix}_BASE_URL", secure_url, cls.default_url),
            Setting(f"{prefix}_RATE", call_rate(cls.burst), cls.default_rate),
            *super().settings(),
        )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        prefix = cls.name.upper()
        return cls(
            settings[f"{prefix}_API_KEY"],
            settings[f"{prefix}_BASE_URL"],
            timeout=settings["EMAIL_TIMEOUT"],
            rate=settings[f"{prefix}_RATE"],
        )

    def __init__(
        self,
        api_key: str,
        base_url: str,
        *,
        timeout: float = 15,
        rate: Rate | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.timeout = timeout
        self.rate = rate
        self._api_key = api_key
        self._channel = Channel(self.base_url, api_key)
        # One for the provider's life: it remembers the names it looked up.
        self._subscribers = self.subscribers(self.name, self.call) if self.subscribers else None

    @abstractmethod
    def receipt(self, answer: Answer) -> Receipt:
        """Read a 2xx answer. Raises if its body says no."""

    @abstractmethod
    def error_message(self, answer: Answer) -> str:
        """The provider's own explanation of a refusal; "" if it gives none."""

    def error_by_body(self, answer: Answer, text: str) -> EmailSendError | None:
        """The error for an answer whose status alone says too little; None to go by the status."""
        return None

    def retry_after(self, answer: Answer) -> float | None:
        """How many seconds the provider asks us to wait; None if it does not say."""
        return retry_after_seconds(answer.headers.get("Retry-After"))

    def post(self, request: WireRequest) -> Receipt:
        return self.receipt(self.call(request))

    def call(self, request: WireRequest) -> Answer:
        """One call, and its 2xx answer; any other is raised as a member of the error tree."""
        answer = self._exchange(request)
        if 200 <= answer.status < 300:
            return answer
        raise self.error(answer)

    def check_key(self) -> KeyCheck:
        if self.key_check_path is None:
            return super().check_key()
        answer = self._exchange(WireRequest(method="GET", path=self.key_check_path))
        return KeyCheck(headers=answer.headers, error=self.key_error(answer))

    def key_error(self, answer: Answer) -> EmailSendError | None:
        """Why the key cannot send, by the answer to its check; None if it can."""
        return None if 200 <= answer.status < 300 else self.error(answer)

    def check_change(self, change: SubscriberChange) -> None:
        self._require_subscribers().check(change)

    def change_subscriber(self, change: SubscriberChange, key: str) -> Receipt:
        note = self._require_subscribers().apply(change, key)
        notes = (note,) if note else ()
        return Receipt(provider=self.name, message_id=None, status=200, notes=notes)

    def _require_subscribers(self) -> Subscribers:
        if self._subscribers is None:
            raise UnsupportedFeature(f"{self.name} keeps no subscribers", provider=self.name)
        return self._subscribers

    def error(self, answer: Answer) -> EmailSendError:
        """The member of the error tree for an answer that is not a yes."""
        text = self.describe(answer)
        return self.error_by_body(answer, text) or self._error_by_status(answer, text)

    def describe(self, answer: Answer) -> str:
        """One line for logs and rows: the status, and 500 characters of the error message."""
        message = self.printable(self.error_message(answer) or answer.text)
        return f"{self.name} answered {answer.status}: {message or 'no explanation'}"

    def printable(self, message: str) -> str:
        """At most 500 characters of the provider's own words, on one line and without the key."""
        if len(self._api_key) >= SHORTEST_KEY:
            message = message.replace(self._api_key, "[key]")
        return _NOT_TEXT.sub(" ", message[:500]).strip()

    def _error_by_status(self, answer: Answer, text: str) -> EmailSendError:
        status, name, wait = answer.status, self.name, self.retry_after(answer)
        is_redirect = 300 <= status < 400
        if is_redirect:
            text += f" (a redirect: check {name.upper()}_BASE_URL)"
        if is_redirect or status in (401, 403):
            return AuthenticationFailed(text, status, provider=name)
        if status == 429:
            return RateLimited(text, status, retry_after=wait, provider=name)
        if status in (500, 503):
            return ProviderUnavailable(text, status, retry_after=wait, provider=name)
        if 400 <= status < 500 and status != 408:
            return InvalidMessage(text, status, provider=name)
        return self.unknown(text, status)

    def unknown(self, text: str, status: int = 0) -> OutcomeUnknown:
        """`OutcomeUnknown`, retryable where a repeated key gives the first answer."""
        keyed = self.capabilities.idempotency_window > 0
        return OutcomeUnknown(text, status, retryable=keyed, provider=self.name)

    def _exchange(self, request: WireRequest) -> Answer:
        try:
            exchange = Exchange(self.timeout)
        except RuntimeError as error:  # no thread to be had for the watch: nothing was sent
            raise ProviderUnavailable(
                f"{self.name} was not called: {error}", provider=self.name, reached=False
            ) from error
        with exchange:
            try:
                response = self._channel.send(
                    request.method, request.path, request.body, request.headers, self.timeout
                )
            except (requests.RequestException, HTTPError, OSError) as error:
                raise self._no_answer(exchange, error) from error
            with response:
                return self._answer(exchange, response)

    def _answer(self, exchange: Exchange, response: requests.Response) -> Answer:
        status = response.status_code
        try:
            raw = response.raw.read(MAX_ANSWER, decode_content=True)
            whole = not exchange.expired
        except (HTTPError, OSError, ValueError):
            raw, whole = b"", False
        if 200 <= status < 300 and not whole:
            raise self.unknown(f"{self.name} said {status}, but its answer was cut off", status)
        text = raw.decode("utf-8", "replace")
        return Answer(status=status, headers=response.headers, text=text)

    def _no_answer(self, exchange: Exchange, error: Exception) -> EmailSendError:
        # A timeout in the TLS handshake is called a read timeout, too.
        timed_out = exchange.expired or isinstance(error, requests.ReadTimeout)
        if timed_out and (exchange.written or not exchange.dialled):
            return self.unknown(f"{self.name} did not answer within {self.timeout:g} s")
        if exchange.written:
            return self.unknown(f"{self.name} closed the connection without an answer")
        reason = type(getattr(error.args[0], "reason", error) if error.args else error).__name__
        text = f"{self.name} could not be reached at {self.base_url} ({reason})"
        return ProviderUnavailable(text, provider=self.name, reached=False)


def retry_after_seconds(value: str | None) -> float | None:
    """A Retry-After header, seconds or an HTTP date, as seconds from now within sane limits."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return clamp_wait(seconds)


def seconds_until(unix: str | None) -> float | None:
    """A header holding unix seconds, as a wait from now within the same limits."""
    return clamp_wait(float(unix) - time.time()) if unix and unix.isdecimal() else None


def clamp_wait(seconds: float) -> float:
    """Between a second and an hour, whatever the provider said (NaN counts as a second)."""
    return min(LONGEST_WAIT, seconds) if seconds > SHORTEST_WAIT else SHORTEST_WAIT
