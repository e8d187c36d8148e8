"""What may stand in a header: one line of text; and which headers a message may add."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from errors import InvalidMessage

MAX_LINE = 998  # characters, RFC 5322 section 2.1.1
MAX_HEADERS = 50  # Sequenzy's limit

# Control characters, the Unicode line separators, and halves of surrogate pairs: none of them
# may reach a header, and JSON or PostgreSQL refuses most of them anyway.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_RESERVED = re.compile(
    r"from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|return-path|received"
    r"|dkim-signature|authentication-results|(content|arc|resent|x-sg|x-ses|x-sequenzy)-.*",
    re.IGNORECASE,
)


def one_line(value: Any, name: str, limit: int) -> str:
    """`value` if it may stand in a header; raises `InvalidMessage` with `name` as the field."""
    if not isinstance(value, str):
        raise InvalidMessage(f"{name} must be text, not {type(value).__name__}", field=name)
    if _UNSAFE.search(value):
        raise InvalidMessage(f"{name} holds a line break or control character", field=name)
    if len(value) > limit:
        raise InvalidMessage(
            f"{name} has {len(value)} characters; the limit is {limit}", field=name
        )
    return value


def extra_headers(value: Mapping[str, str]) -> Mapping[str, str]:
    """`value`, unchangeable, if a message may add these headers; raises `InvalidMessage`."""
    if len(value) > MAX_HEADERS:
        raise InvalidMessage(f"headers has more than {MAX_HEADERS} entries", field="headers")
    for name, content in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidMessage("headers has a name that is not a header name", field="headers")
        if _RESERVED.fullmatch(name):
            raise InvalidMessage(
                f"headers must not set {name}: use the field of the message", field="headers"
            )
        if not one_line(content, f"headers[{name}]", MAX_LINE - len(name)).isascii():
            raise InvalidMessage(f"headers[{name}] must be ASCII", field="headers")
    return MappingProxyType(dict(value))
