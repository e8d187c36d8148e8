"""How the value of one setting is read: text in, a checked value out, `ValueError` if it is wrong.

The text of the error follows the setting's name in a sentence.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from limits import parse_many

LOOPBACK = ("127.0.0.1", "localhost", "::1")
JITTER = 0.1  # seconds by which the network may bring two calls closer together

Parser = Callable[[str], Any]


def any_text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    values = {"1": True, "true": True, "0": False, "false": False}
    if value.lower() not in values:
        raise ValueError("must be 1, 0, true or false")
    return values[value.lower()]


def number(low: float, high: float, kind: type = int) -> Parser:
    def parse(value: str) -> Any:
        try:
            read = kind(value)
        except ValueError:
            raise ValueError(f"must be a number from {low} to {high}") from None
        if not low <= read <= high:
            raise ValueError(f"must be from {low} to {high}")
        return read

    return parse


def one_of(*choices: str) -> Parser:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return parse


def header_value(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be printable ASCII: it travels in a header")
    return value


def comma_list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def url(value: str) -> str:
    parts = urlsplit(value)
    good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    if not good or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"\s", value):
        raise ValueError("must be a URL like https://app.example.com")
    return parts.geturl().rstrip("/")  # its scheme in lower case


def host_of(checked: str) -> str:
    """The host of a checked URL. The names of one's own machine are one host, `localhost`."""
    host = urlsplit(checked).hostname or ""
    return "localhost" if host in LOOPBACK else host


def secure_url(value: str) -> str:
    checked = url(value)
    if checked.startswith("http://") and urlsplit(checked).hostname not in LOOPBACK:
        raise ValueError("must start with https:// (http is for loopback only)")
    return checked


def database_url(value: str) -> str:
    for scheme in ("postgres://", "postgresql://"):
        if value.startswith(scheme):
            return "postgresql+psycopg://" + value.removeprefix(scheme)
    if value.startswith(("postgresql+psycopg://", "sqlite:///")):
        return value
    raise ValueError("must start with sqlite:/// or postgresql://")


def redis_url(value: str) -> str:
    # Celery and Flask-Limiter spell sockets differently, so no socket URL suits both.
    if not value.startswith(("redis://", "rediss://")):
        raise ValueError("must start with redis:// or rediss://")
    return value


def rate(value: str) -> str:
    try:
        parse_many(value)
    except ValueError:
        raise ValueError("must be a rate like 10/minute") from None
    return value


@frozen
class Rate:
    """How fast a provider may be called: `calls` in `seconds`, `burst` of them at once.

    With calls apart by `interval`, and a burst now and then, no sliding window of `seconds` sees
    more than `calls` and the rest of one burst.
    """

    calls: int
    seconds: float
    burst: int = 1

    @property
    def interval(self) -> float:
        """Seconds from one call to the next."""
        return (self.seconds + JITTER) / self.calls


def call_rate(burst: int = 1) -> Parser:
    """A parser of one rate, such as 5/second; None for `off`. The `burst` is the vendor's."""

    def parse(value: str) -> Rate | None:
        if value.lower() == "off":
            return None
        try:
            [item] = parse_many(value)
        except ValueError:
            item = None
        if item is None or item.amount < 1:
            raise ValueError("must be one rate like 5/second, or off")
        return Rate(item.amount, item.get_expiry(), burst)

    return parse


@frozen
class Setting:
    """One variable: how it is read, and what holds when it is unset in development and production.

    `production` is given where it differs from `default`. Production does not start without a
    `required` one, nor with one whose value is the `simulator_key`, which everybody can read, or
    has fewer than `shortest` characters.
    A provider's setting is `required_for` its name in EMAIL_PROVIDER, in development as well.
    """

    name: str
    parse: Parser = any_text
    default: str = ""
    production: str | None = None
    required: bool = False
    required_for: str = ""
    simulator_key: str = ""
    shortest: int = 0

    def is_too_short(self, value: Any) -> bool:
        """Whether `value`, or any of several, has fewer than `shortest` characters."""
        given = value if isinstance(value, tuple) else (value,)
        return any(isinstance(each, str) and len(each) < self.shortest for each in given)

    def default_for(self, debug: bool) -> str:
        return self.default if debug or self.production is None else self.production
