"""Each signature scheme as one object that signs an event and changes what it signed at random.

A new scheme needs `name`, `path` and `mutate`; add it to `SCHEMES` and the fuzzer runs it.
"""

import json
import time
from collections.abc import Callable
from random import Random
from typing import NamedTuple, Protocol

from tests.hostile.events import WEBHOOK
from tests.hostile.stripe_headers import NEW, OLD, sign
from tests.hostile.wire import Header


class Mutation(NamedTuple):
    """One delivery. `accepted` says what must become of it; None is either, but no 5xx."""

    name: str
    headers: list[Header]
    body: bytes
    accepted: bool | None


class Scheme(Protocol):
    """What the fuzzer needs to know of a provider."""

    name: str
    path: str

    def mutate(self, chance: Random) -> Mutation:
        """A delivery signed now and changed in one way; `chance` alone decides in which."""


class _Draft:
    """A truly signed Stripe delivery before it is changed. `header` is its shortest true form."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.body = _event(chance)
        self.t = int(time.time()) + chance.randint(-280, 280)

    @property
    def good(self) -> str:
        return sign(self.body, NEW, self.t)

    @property
    def header(self) -> str:
        return f"t={self.t},v1={self.good}"

    def bad(self) -> str:
        """A signature of somebody else."""
        return sign(self.body, f"whsec_{self.chance.random()}", self.t)


Change = Callable[[_Draft], tuple[str | bytes, bytes]]


def _event(chance: Random) -> bytes:
    text = "".join(chr(chance.choice((*range(32, 127), 0xE4, 0x2028, 0x1F48C))) for _ in range(40))
    event = {
        "id": f"evt_{chance.getrandbits(64):016x}",
        "type": "customer.created",
        "data": {"object": {"description": text, "amounts": [chance.random() for _ in range(9)]}},
    }
    return json.dumps(event, ensure_ascii=chance.random() < 0.5).encode()


def _replaced(text: bytes, at: int, chance: Random, low: int = 0) -> bytes:
    """`text` with another byte of at least `low` at this place."""
    byte = chance.choice([each for each in range(low, 256) if each != text[at]])
    return text[:at] + bytes([byte]) + text[at + 1 :]


def _untouched(draft: _Draft) -> tuple[str, bytes]:
    return draft.header, draft.body


def _old_secret(draft: _Draft) -> tuple[str, bytes]:
    return f"t={draft.t},v1={sign(draft.body, OLD, draft.t)}", draft.body


def _among_others(draft: _Draft) -> tuple[str, bytes]:
    items = [f"v1={draft.good}", f"t={draft.t}", f"v0={draft.bad()}", "x", "", "v2=ä"]
    items += [f"v1={draft.bad()}" for _ in range(draft.chance.randint(0, 20))]
    draft.chance.shuffle(items)
    return ",".join(items), draft.body


def _digit_of_signature(draft: _Draft) -> tuple[str, bytes]:
    at = draft.chance.randrange(64)
    digit = draft.chance.choice([each for each in "0123456789abcdef" if each != draft.good[at]])
    return f"t={draft.t},v1={draft.good[:at]}{digit}{draft.good[at + 1 :]}", draft.body


def _time_moved(draft: _Draft) -> tuple[str, bytes]:
    moved = draft.t + draft.chance.choice([-1, 1]) * draft.chance.randint(1, 10)
    return f"t={moved},v1={draft.good}", draft.body


def _stale(draft: _Draft) -> tuple[str, bytes]:
    offset = draft.chance.choice([-1, 1]) * draft.chance.randint(320, 10**6)
    draft.t = int(time.time()) + offset
    return draft.header, draft.body


def _other_secret(draft: _Draft) -> tuple[str, bytes]:
    return f"t={draft.t},v1={draft.bad()}", draft.body


def _time_twice(draft: _Draft) -> tuple[str, bytes]:
    items = [f"v1={draft.good}", f"t={draft.t}", f"t={draft.chance.choice([draft.t, 0, ''])}"]
    draft.chance.shuffle(items)
    return ",".join(items), draft.body


def _scheme_renamed(draft: _Draft) -> tuple[str, bytes]:
    name = draft.chance.choice(["v0", "v2", "V1", "v01", "v11", " v1", "v1 ", "v", ""])
    return f"t={draft.t},{name}={draft.good}", draft.body


def _byte_of_header(draft: _Draft) -> tuple[bytes, bytes]:
    header = draft.header.encode()
    return _replaced(header, draft.chance.randrange(len(header)), draft.chance, 32), draft.body


def _byte_missing_in_header(draft: _Draft) -> tuple[str, bytes]:
    at = draft.chance.randrange(len(draft.header))
    return draft.header[:at] + draft.header[at + 1 :], draft.body


def _header_of_noise(draft: _Draft) -> tuple[bytes, bytes]:
    length = draft.chance.randint(0, 300)
    return bytes(draft.chance.randint(32, 255) for _ in range(length)), draft.body


def _byte_of_body(draft: _Draft) -> tuple[str, bytes]:
    return draft.header, _replaced(
        draft.body, draft.chance.randrange(len(draft.body)), draft.chance
    )


def _body_cut(draft: _Draft) -> tuple[str, bytes]:
    return draft.header, draft.body[: draft.chance.randrange(len(draft.body))]


def _body_longer(draft: _Draft) -> tuple[str, bytes]:
    tail = draft.chance.choice([b" ", b"\n", b"\0", b"}", b"\xff"])
    return draft.header, draft.body + tail * draft.chance.randint(1, 9)


def _broken_body_signed(draft: _Draft) -> tuple[str, bytes]:
    for _ in range(draft.chance.randint(1, 4)):
        at = draft.chance.randrange(len(draft.body))
        letter = draft.chance.choice([b"0", b"a", b'"', b"\\", b"{", b"]", b",", b"\xff"])
        draft.body = draft.body[:at] + letter + draft.body[at + 1 :]
    return draft.header, draft.body


class Stripe:
    """`Stripe-Signature: t=…,v1=…`, one HMAC-SHA256 over `t.body`."""

    name = "stripe"
    path = WEBHOOK

    CHANGES: tuple[tuple[Change, bool | None], ...] = (
        (_untouched, True),
        (_old_secret, True),
        (_among_others, True),
        (_digit_of_signature, False),
        (_time_moved, False),
        (_stale, False),
        (_other_secret, False),
        (_time_twice, False),
        (_scheme_renamed, False),
        (_byte_of_header, False),
        (_byte_missing_in_header, False),
        (_header_of_noise, False),
        (_byte_of_body, False),
        (_body_cut, False),
        (_body_longer, False),
        (_broken_body_signed, None),
    )

    def mutate(self, chance: Random) -> Mutation:
        """One of the changes above."""
        change, accepted = chance.choice(self.CHANGES)
        header, body = change(_Draft(chance))
        name = change.__name__.strip("_").replace("_", " ")
        return Mutation(name, [("Stripe-Signature", header)], body, accepted)


SCHEMES: tuple[Scheme, ...] = (Stripe(),)
