"""The contract of a provider's webhook: who may say it, and what each event means."""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, ClassVar
from uuid import UUID

from attrs import field, frozen

from errors import InvalidMessage
from message import Address
from providers.events import BounceClass, TrackingEvent
from setting_types import Setting, comma_list, number

Headers = Mapping[str, str]
"""The headers of a delivery, their names in lower case."""

LONGEST_REASON = 500  # characters
FIRST_EVENT = datetime(2000, 1, 1, tzinfo=UTC)  # no event is older

_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# The subject is one digit, so that no version of a server is taken for a code.
_STATUS_CODE = re.compile(r"(?<![\w.])([45])\.([0-7])\.(\d{1,3})(?!\.?\w)")


class UnusableEvent(Exception):
    """The event is genuine, but not of the documented form; a redelivery would be no better."""


@frozen(kw_only=True)
class RawEvent:
    """One event as it came. `event_id` is the same on every redelivery, `data` its JSON object.

    `type` is its name as the vendor gives it, without anything that a column could not hold;
    `payload` is `data` as text, whose escapes can be stored whatever it holds.
    """

    event_id: str
    type: str
    data: Mapping[str, Any]
    payload: str = field(init=False)

    @payload.default
    def _as_text(self) -> str:
        return json.dumps(self.data)


@frozen(kw_only=True)
class SignedEvent:
    """One signed event, as the vendor would post it."""

    body: bytes
    headers: Mapping[str, str]


class Webhook(ABC):
    """One vendor's webhook. Knows no database and no Flask.

    `setting` names the variable that holds its secrets, `age_setting` the one that holds how many
    seconds old a delivery may be, where the scheme itself does not say so. `simulator_key` is
    what the simulator signs with: who reads it there can forge a bounce.
    """

    setting: ClassVar[str]
    age_setting: ClassVar[str | None] = None
    simulator_key: ClassVar[str] = ""

    def settings(self) -> tuple[Setting, ...]:
        """The settings named above."""
        secrets = Setting(self.setting, comma_list, simulator_key=self.simulator_key)
        if self.age_setting is None:
            return (secrets,)
        return (secrets, Setting(self.age_setting, number(60, 7 * 86400)))

    @abstractmethod
    def verify(self, payload: bytes, headers: Headers, secret: str, max_age: float = inf) -> bool:
        """Whether the vendor signed exactly these bytes. Malformed is just False.

        Older than `max_age` (seconds) is False as well, where `age_setting` names a limit.
        """

    @abstractmethod
    def split(self, payload: bytes, headers: Headers) -> list[RawEvent]:
        """The events in a body. Raises `UnusableEvent` if none in it can be told apart."""

    @abstractmethod
    def parse(self, event: RawEvent) -> TrackingEvent | None:
        """What the event means; None if it means nothing to us. Raises `UnusableEvent`."""

    def secret_error(self, secret: str) -> str | None:
        """Why `secret` cannot be one of this vendor's; None if it can."""
        return None

    def test_event(self, event_id: str, timestamp: str, secret: str) -> SignedEvent | None:
        """An event of a type that means nothing, signed; None if only the vendor can sign.

        `timestamp` is in unix seconds.
        """
        return None


def json_value(payload: bytes) -> Any:
    """The value of a body. Raises `UnusableEvent` if it is not JSON."""
    try:
        return json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise UnusableEvent("the body is not JSON") from None


def json_event(payload: bytes) -> dict[str, Any]:
    """The one event of a body. Raises `UnusableEvent` if it is no object with a `type`."""
    data = json_value(payload)
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        raise UnusableEvent("the body is no event")
    return data


def message_id(value: Any) -> str | None:
    """The vendor's id of an email or event, if a column can hold it."""
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,255}", value) else None


def id_or_hash(value: Any) -> str:
    """An event's id as it came if a column can hold it, else a hash of it."""
    return message_id(value) or hashlib.sha256(json.dumps(value).encode()).hexdigest()


def nested(value: Any, *keys: str) -> Any:
    """`value["a"]["b"]`; None where anything on the way is missing or no object."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def first_text(*values: Any) -> str:
    """The first of `values` that is text, on one line and of a length for a column; else ""."""
    found = next((value for value in values if isinstance(value, str) and value.strip()), "")
    return _NOT_TEXT.sub(" ", found).strip()[:LONGEST_REASON]


def our_id(value: Any) -> str | None:
    """Our id of the email as the vendor echoes it; None for what is no id of ours."""
    try:
        return str(UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def recipient(value: Any) -> str | None:
    """The address an event is about, in lower case; None if it is none."""
    try:
        return Address.parse(value).email.lower()
    except InvalidMessage:
        return None


def parse_time(value: Any) -> datetime:
    """A time in ISO 8601 or unix seconds; now if it is missing, no time, or none of an event.

    The order of events is not told by their times, so a wrong one costs a line of a timeline.
    """
    now = datetime.now(UTC)
    parsed = _parse(value)
    # Not every reader of a database can read the years 1 and 9999.
    return parsed if parsed and FIRST_EVENT <= parsed <= now + timedelta(days=1) else now


def _parse(value: Any) -> datetime | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and value.isdecimal():
            return datetime.fromtimestamp(int(value), UTC)
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def bounce_class(text: str, label: BounceClass) -> BounceClass:
    """What kind of bounce it is: by the enhanced status code in `text`, else by the vendor's label.

    4.x.x passes. 5.1.x says that the address does not exist, except for 5.1.7 and 5.1.8, which
    are about the sender; 5.2.1 that the mailbox is disabled. Other 5.x.x (full, too large, policy)
    say nothing about the address, so there the label decides. (RFC 3463, IANA's list of codes)
    """
    code = _STATUS_CODE.search(text)
    if code is None:
        return label
    subject, detail = int(code[2]), int(code[3])
    if code[1] == "4":
        return BounceClass.SOFT
    if (subject == 1 and detail not in (7, 8)) or (subject, detail) == (2, 1):
        return BounceClass.HARD
    return label
