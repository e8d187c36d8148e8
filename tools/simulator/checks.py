"""The shapes that all three vendors check: addresses, attachments, one-line texts."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

UNVERIFIED_DOMAIN = "unverified."  # a sender below such a domain counts as not verified

_ADDRESS = r"[^\s@<>()\[\]\\,;:\"]+@(?:[\w-]+\.)+[\w-]{2,}"
_NAMED = re.compile(rf'\s*(?:"(?:[^"\\\r\n]|\\.)*"|[^<>"\r\n]*)\s*<({_ADDRESS})>\s*')


def is_address(value: object) -> bool:
    """Whether `value` is a bare `ann@example.com`."""
    return isinstance(value, str) and re.fullmatch(_ADDRESS, value) is not None


def mailbox(value: object) -> str | None:
    """The bare address of `ann@example.com` or `Ann <ann@example.com>`; None for anything else."""
    if not isinstance(value, str):
        return None
    named = _NAMED.fullmatch(value)
    if named:
        return named[1]
    return value if is_address(value) else None


def is_verified(value: object) -> bool:
    """Whether the sender's domain is one that the vendor has seen proof of."""
    return not (mailbox(value) or "").rpartition("@")[2].startswith(UNVERIFIED_DOMAIN)


def one_line(value: object) -> bool:
    """Whether `value` is text that fits into one header line."""
    return isinstance(value, str) and bool(value.strip()) and not re.search(r"[\r\n\0]", value)


def base64_size(value: object) -> int | None:
    """The size of what `value` encodes, in bytes; None if it is not strict base64."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return len(base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        return None


def as_list(value: Any) -> list[Any]:
    """`"a"` and `["a"]` alike; nothing for None."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def unique(addresses: list[str], *, besides: list[str]) -> list[str]:
    """`addresses` without repeats, and without those of `besides`, whatever their case."""
    return list(_first_ones(addresses, {address.lower() for address in besides}))


def _first_ones(addresses: list[str], seen: set[str]) -> Iterator[str]:
    for address in addresses:
        if address.lower() not in seen:
            seen.add(address.lower())
            yield address


def is_text_map(value: object) -> bool:
    """Whether `value` is an object whose values are all text."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def text(value: object) -> str:
    """`value` if it is text, else ""."""
    return value if isinstance(value, str) else ""
