"""What every signature scheme of the fuzzer has: a true delivery, and ways to change it.

A change takes a draft of a delivery and alters it. What it alters after signing makes a forgery.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, NamedTuple, Protocol

from tools.fuzz.broken_json import broken
from tools.provider_events import body_of
from tools.wire import Header


class Mutation(NamedTuple):
    """One delivery. `accepted` says what must become of it; None is either, but no 5xx.

    `marker` is a word of the body that no other delivery has.
    """

    name: str
    headers: list[Header]
    body: bytes
    accepted: bool | None
    marker: str


class Scheme(Protocol):
    """What the fuzzer needs to know of a provider."""

    name: str
    path: str

    def mutate(self, chance: Random) -> Mutation:
        """A delivery signed now and changed in one way; `chance` alone decides in which."""


class Draft(ABC):
    """A delivery before it is sent. `signature` is the whole value of its header."""

    scheme: ClassVar[str]
    signature: str | bytes

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.marker = f"{self.scheme}-{chance.getrandbits(64):016x}"
        self.t: str = str(int(time.time()) + chance.randint(-280, 280))
        self.value = self.event()
        self.body = body_of(self.value)
        self.sign()

    @abstractmethod
    def event(self) -> Any:
        """What stands in the body."""

    @abstractmethod
    def signed(self, secret: str) -> str:
        """The header's value for `new`, `old` or any other secret, over everything as it is now."""

    @abstractmethod
    def headers(self) -> list[Header]:
        """The headers as they are now."""

    def sign(self, by: str = "new") -> None:
        self.signature = self.signed(by)

    def foreign(self) -> str:
        """The name of a secret that nobody knows."""
        return f"foreign {self.chance.random()}"


Change = Callable[[Any], None]
Changes = tuple[tuple[Change, bool | None], ...]


def mutation(draft: Draft, changes: Changes) -> Mutation:
    """`draft` after one of the changes."""
    change, accepted = draft.chance.choice(changes)
    change(draft)
    name = change.__name__.strip("_").replace("_", " ")
    return Mutation(name, draft.headers(), draft.body, accepted, draft.marker)


def letters(chance: Random) -> str:
    """A text of many alphabets."""
    return "".join(chr(chance.choice((*range(32, 127), 0xE4, 0x2028, 0x1F48C))) for _ in range(40))


def replaced(text: bytes, at: int, chance: Random, low: int = 0) -> bytes:
    """`text` with another byte of at least `low` at this place."""
    byte = chance.choice([each for each in range(low, 256) if each != text[at]])
    return text[:at] + bytes([byte]) + text[at + 1 :]


def untouched(draft: Draft) -> None:
    """As it was signed."""


def old_secret(draft: Draft) -> None:
    draft.sign("old")


def other_secret(draft: Draft) -> None:
    draft.sign(draft.foreign())


def time_moved(draft: Draft) -> None:
    offset = draft.chance.choice([-1, 1]) * draft.chance.randint(1, 10)
    draft.t = str(int(draft.t) + offset)


def stale(draft: Draft) -> None:
    offset = draft.chance.choice([-1, 1]) * draft.chance.randint(320, 10**6)
    draft.t = str(int(time.time()) + offset)
    draft.sign()


def odd_time_signed(draft: Draft) -> None:
    forms = (
        "+{}",
        "0{}",
        " {}",
        "{} ",
        "{}.0",
        "{}e0",
        "{}000",
        "-{}",
        "now",
        "",
        "inf",
        "9" * 400,
    )
    draft.t = draft.chance.choice(forms).format(draft.t)
    draft.sign()


def byte_of_signature(draft: Draft) -> None:
    assert isinstance(draft.signature, str)
    text = draft.signature.encode()
    # The last letters of base64 may hold bits that mean nothing.
    draft.signature = replaced(text, draft.chance.randrange(len(text) - 4), draft.chance, 32)


def byte_missing_in_signature(draft: Draft) -> None:
    assert isinstance(draft.signature, str)
    at = draft.chance.randrange(len(draft.signature) - 4)
    draft.signature = draft.signature[:at] + draft.signature[at + 1 :]


def signature_of_noise(draft: Draft) -> None:
    length = draft.chance.randint(0, 300)
    draft.signature = bytes(draft.chance.randint(32, 255) for _ in range(length))


def byte_of_body(draft: Draft) -> None:
    draft.body = replaced(draft.body, draft.chance.randrange(len(draft.body)), draft.chance)


def body_cut(draft: Draft) -> None:
    draft.body = draft.body[: draft.chance.randrange(len(draft.body))]


def body_longer(draft: Draft) -> None:
    tail = draft.chance.choice([b" ", b"\n", b"\0", b"}", b"\xff"])
    draft.body += tail * draft.chance.randint(1, 9)


def broken_body_signed(draft: Draft) -> None:
    draft.body = broken(draft.chance, draft.value)
    draft.sign()


FORGERIES: Changes = (
    (other_secret, False),
    (time_moved, False),
    (odd_time_signed, False),
    (byte_of_signature, False),
    (byte_missing_in_signature, False),
    (signature_of_noise, False),
    (byte_of_body, False),
    (body_cut, False),
    (body_longer, False),
)
TRUE: Changes = (
    (untouched, True),
    (old_secret, True),
    (broken_body_signed, None),
    (broken_body_signed, None),
    (broken_body_signed, None),
)
