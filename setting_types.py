"""How the value of one setting is read: text in, a checked value out, `ValueError` if it is wrong.

The words of the error follow the setting's name in a sentence.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from limits import parse_many

from address import Address
from errors import EmailSendError
from providers import HTTP_PROVIDERS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROVIDERS = tuple(HTTP_PROVIDERS)

Parser = Callable[[str], Any]


def any_text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    words = {"1": True, "true": True, "0": False, "false": False}
    if value.lower() not in words:
        raise ValueError("must be 1, 0, true or false")
    return words[value.lower()]


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


def one_of(*words: str) -> Parser:
    def parse(value: str) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def header_value(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("must be printable ASCII: it travels in a header")
    return value


def comma_list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def address(value: str) -> Address:
    try:
        return Address.parse(value)
    except EmailSendError as error:
        raise ValueError(f"must be like 'Your App <hello@yourdomain.com>': {error}") from None


def url(value: str) -> str:
    parts = urlsplit(value)
    good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    if not good or "@" in parts.netloc or parts.query or parts.fragment or re.search(r"\s", value):
        raise ValueError("must be a URL like https://app.example.com")
    return parts.geturl().rstrip("/")  # its scheme in lower case


def secure_url(value: str) -> str:
    checked = url(value)
    if checked.startswith("http://") and urlsplit(checked).hostname not in LOOPBACK:
        raise ValueError("must start with https:// (http is for loopback only)")
    return checked


def provider_chain(value: str) -> tuple[str, ...]:
    names = comma_list(value)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"must name one provider, or several different ones: {_choices()}")
    for name in names:
        if name not in (*PROVIDERS, "inbox"):
            raise ValueError(f"does not know {name!r}; choose from {_choices()}")
    if "inbox" in names and len(names) > 1:
        raise ValueError("inbox stands alone: it accepts everything and sends nothing")
    return names


def _choices() -> str:
    return ", ".join((*PROVIDERS, "inbox"))


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
class Setting:
    """One variable: how it is read, and what holds when it is unset in development and production.

    `production` is given where it differs from `default`. Production does not start without a
    `required` one.
    """

    name: str
    parse: Parser = any_text
    default: str = ""
    production: str | None = None
    required: bool = False

    def default_for(self, debug: bool) -> str:
        return self.default if debug or self.production is None else self.production
