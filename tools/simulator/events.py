"""What a vendor reports after it accepted an email: the event, and what sets the vendor apart."""

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tools.simulator.ledger import ReceivedEmail
from tools.simulator.webhook_secrets import Secrets

_LINK = re.compile(r"""href=["'](https?://[^"']+)""", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One report. `id` is what its receiver knows repeats by; `fields` is the vendor's JSON."""

    id: str
    type: str
    email_id: str
    recipient: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """How one vendor reports.

    `plan` gives the events of an email accepted at a time; `encode` the body of one POST with up to
    `batch` of them; `sign` its headers at a unix time, anew in each try unless `signs_once`. No
    answer within `patience` seconds is a failure; `waits` are the seconds before each further try.
    `repeat` is an event as it comes when it comes twice.
    """

    name: str
    plan: Callable[[ReceivedEmail, datetime], Iterator[Event]]
    encode: Callable[[Sequence[Event]], bytes]
    sign: Callable[[Secrets, Sequence[Event], bytes, int], dict[str, str]]
    patience: float
    waits: Sequence[float]
    batch: int = 1
    signs_once: bool = False
    repeat: Callable[[Event], Event] | None = None


def growing(first: float, *, total: float) -> tuple[float, ...]:
    """Waits in seconds, each twice the one before, for as long as they add up to `total`."""
    waits = [first]
    while sum(waits) + 2 * waits[-1] <= total:
        waits.append(2 * waits[-1])
    return tuple(waits)


def recipients(email: ReceivedEmail) -> list[str]:
    """All of them, in the order of to, cc and bcc."""
    return [*email.to, *email.cc, *email.bcc]


def first_link(email: ReceivedEmail) -> str:
    """Where a click leads."""
    found = _LINK.search(email.html)
    return html.unescape(found[1]) if found else "https://example.com/"


def iso(moment: datetime) -> str:
    """`2026-08-01T10:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compact(value: Any) -> bytes:
    """`value` as JSON in UTF-8, without spaces."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")  # half a surrogate pair cannot be written
