"""What passes between the server and the dialects: a request, an answer, a refusal, a dialect."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from hashlib import sha256
from http import HTTPStatus
from typing import Any, NoReturn

from tools.simulator.ledger import Ledger
from tools.simulator.rates import Room, Window


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request, read to its end. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The value of the body; None if it is not JSON."""
        try:
            return json.loads(self.body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return None

    @property
    def bearer(self) -> str:
        """The API key; "" if there is none."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("idempotency-key")

    @property
    def body_sha256(self) -> str:
        return sha256(self.body).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One HTTP answer, without its time and the headers that frame it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def encode(self) -> bytes:
        """The bytes on the wire, HTTP/1.1."""
        return self.head() + self.body

    def head(self) -> bytes:
        """The bytes before the body."""
        length = str(len(self.body))
        headers = {**self.headers, "Date": formatdate(usegmt=True), "Content-Length": length}
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def json_reply(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer whose body is `value` as JSON."""
    return Reply(
        status=status,
        headers={"Content-Type": "application/json", **(headers or {})},
        body=json.dumps(value).encode(),
    )


class Refused(Exception):
    """A dialect says no; `reply` is what the vendor would say."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


Route = Callable[[Request, Ledger], Reply]


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One vendor's API.

    `routes` maps a method and a pattern over the whole path to a function; that function raises
    `Refused` for what the vendor refuses. `refusal` gives the vendor's words for a status, and for
    `quota` and `concurrent`. `first_recipients` reads an address for each email of any payload, ""
    for none.
    With `one_at_a_time`, a key whose first request is unanswered gets the `concurrent` refusal.
    `windows` are what an API key may ask for, and `rate_headers` tells it how much is left.
    """

    name: str
    paths: str
    routes: Mapping[tuple[str, str], Route]
    authenticate: Callable[[Request], None]
    refusal: Callable[[str], Reply]
    first_recipients: Callable[[Any], list[str]]
    one_at_a_time: bool = False
    windows: Sequence[Window] = ()
    rate_headers: Callable[[Room], Mapping[str, str]] = lambda room: {}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
