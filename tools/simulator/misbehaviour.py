"""What the simulator does wrong on request: by the local part of an address, or by chance.

The address is that of the first recipient, or of the subscriber. Of the emails of a batch the first
one whose address is in this table counts for all of them, but `400` and `422` without a number
refuse that email alone: a strict batch with it, of a permissive one only that email.

| local part | what happens | accepted |
|---|---|---|
| `400` `401` `403` `422` `429` `500` `502` `503` | the vendor's answer of that status | no |
| `quota` | Resend 429 daily_quota_exceeded, SendGrid 401 credits, Sequenzy a plain 429 | no |
| `redirect` | 302 to `/` | no |
| `html` | 502 with the HTML page of a gateway | no |
| `hang` | no answer; the connection is held until the client leaves, at most 60 s | no |
| `drop` | the connection is closed without an answer | no |
| `hang-after-accept` `drop-after-accept` | the same, once it is on disk | yes |
| `slow-N` | the answer comes after N milliseconds | yes |
| `cut` | the answer ends in its middle, and with it the connection | yes |
| `drip` | the answer comes one byte a second | yes |
| `huge` | the answer is followed by 50 MB of spaces | yes |
| `noid` | a 2xx answer without an id | yes |

`-N` behind any of them but `slow` (`500-2`, `drop-after-accept-1`) means the first N tries for that
recipient at that provider; afterwards all is well. Tries are counted in memory, whatever the
idempotency key. A `+label` makes recipients differ (`429-1+ann@example.com`).
"""

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tools.simulator.exchange import Reply

Ending = Literal["answer", "drop", "cut", "drip"]

LONGEST_HANG = 60.0  # seconds
HUGE = 50 * 1024 * 1024  # bytes

_LOCAL_PART = re.compile(r"(?P<kind>[a-z0-9]+(?:-after-accept)?)(?:-(?P<number>\d{1,6}))?")
_ID_FIELDS = ("id", "emailSendId", "jobId", "data")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one request is treated.

    `instead` names the refusal to give; nothing is accepted then. `delay` (seconds) passes before
    the ending; `alter` changes the answer of what was accepted.
    """

    instead: str | None = None
    accepts: bool = True
    delay: float = 0.0
    alter: Callable[[Reply], Reply] | None = None
    ending: Ending = "answer"


def refused_alone(recipient: str) -> str | None:
    """The refusal that an email of a batch asks for itself only."""
    local_part = _local_part(recipient)
    return local_part if local_part in ("400", "422") else None


def gateway_reply(kind: str) -> Reply | None:
    """The refusals that are the same for all vendors, `redirect` and `html`; else None."""
    if kind == "redirect":
        return Reply(status=302, headers={"Location": "/"})
    if kind == "html":
        page = b"<html><head><title>502</title></head><body><h1>Bad gateway</h1></body></html>"
        return Reply(status=502, headers={"Content-Type": "text/html"}, body=page)
    return None


def without_id(reply: Reply) -> Reply:
    """The same answer without the id of what was accepted."""
    headers = {name: value for name, value in reply.headers.items() if name != "X-Message-Id"}
    if not reply.body:
        return replace(reply, headers=headers)
    fields = json.loads(reply.body)
    kept = {name: value for name, value in fields.items() if name not in _ID_FIELDS}
    return replace(reply, headers=headers, body=json.dumps(kept).encode())


def huge(reply: Reply) -> Reply:
    """The same answer with 50 MB of spaces behind it: still JSON."""
    return replace(reply, body=reply.body + b" " * HUGE)


_REFUSALS = (
    "400", "401", "403", "422", "429", "500", "502", "503", "quota", "redirect", "html",
)  # fmt: skip
_WELL = Behaviour()
_TABLE: dict[str, Behaviour] = {
    **{kind: Behaviour(instead=kind, accepts=False) for kind in _REFUSALS},
    "hang": Behaviour(accepts=False, delay=LONGEST_HANG, ending="drop"),
    "hang-after-accept": Behaviour(delay=LONGEST_HANG, ending="drop"),
    "drop": Behaviour(accepts=False, ending="drop"),
    "drop-after-accept": Behaviour(ending="drop"),
    "cut": Behaviour(ending="cut"),
    "drip": Behaviour(ending="drip"),
    "huge": Behaviour(alter=huge),
    "noid": Behaviour(alter=without_id),
}


@dataclass(frozen=True, kw_only=True)
class FaultMix:
    """Shares of all requests, 0 to 1, drawn in the order of arrival from `seed`.

    `drop` accepts and closes without an answer. `latency` (seconds) is added to every answer.
    """

    server_error: float = 0.0
    too_many: float = 0.0
    drop: float = 0.0
    latency: float = 0.0
    seed: int = 0


@dataclass
class Misbehaviour:
    """Chooses a behaviour for each request; what a recipient asks for wins over the mix."""

    mix: FaultMix
    _tries: Counter[tuple[str, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.mix.seed)  # noqa: S311 - repeatable, nothing secret

    def choose(self, provider: str, recipients: Sequence[str]) -> Behaviour:
        with self._lock:
            behaviour = self._first_asked_for(provider, recipients) or self._by_chance()
        return replace(behaviour, delay=behaviour.delay + self.mix.latency)

    def forget(self) -> None:
        """Count all tries from nought again."""
        with self._lock:
            self._tries.clear()

    def _first_asked_for(self, provider: str, recipients: Sequence[str]) -> Behaviour | None:
        """The first that is not good treatment; good treatment if one of them asks for no more."""
        asked = None
        for recipient in recipients:
            asked = self._asked_for(provider, recipient.lower()) or asked
            if asked not in (None, _WELL):
                break
        return asked

    def _asked_for(self, provider: str, recipient: str) -> Behaviour | None:
        asked = _LOCAL_PART.fullmatch(_local_part(recipient))
        if asked is None:
            return None
        kind, number = asked["kind"], asked["number"]
        if kind == "slow" and number:
            return Behaviour(delay=int(number) / 1000)
        if kind not in _TABLE:
            return None
        self._tries[provider, recipient] += 1
        over = number is not None and self._tries[provider, recipient] > int(number)
        return _WELL if over else _TABLE[kind]

    def _by_chance(self) -> Behaviour:
        draw = self._random.random()
        shares = (
            (self.mix.server_error, "500"),
            (self.mix.too_many, "429"),
            (self.mix.drop, "drop-after-accept"),
        )
        for share, kind in shares:
            if draw < share:
                return _TABLE[kind]
            draw -= share
        return _WELL


def _local_part(recipient: str) -> str:
    return recipient.partition("@")[0].partition("+")[0]
