"""The contract of a provider's marketing side: one small interface for what each of them has."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Any, ClassVar
from urllib.parse import quote

from attrs import define

from errors import InvalidMessage, ProviderUnavailable, UnsupportedFeature
from providers.base import Answer, WireRequest
from providers.changes import (
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    SubscriberChange,
    Unsubscribe,
    kind_of,
)

Call = Callable[[WireRequest], Answer]
"""One call: the answer of a 2xx, or a member of the error tree."""


@define
class Allowance:
    """How long one change may take, and how many `calls` it took so far."""

    ends: float  # of the monotonic clock
    calls: int = 0


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextmanager
def allow_until(ends: float) -> Iterator[Allowance]:
    """Let a change that is made in this block begin no call after `ends`, and count its calls.

    Then it raises `ProviderUnavailable`. `ends` is a time of the monotonic clock.
    """
    allowance = Allowance(ends)
    token = _allowance.set(allowance)
    try:
        yield allowance
    finally:
        _allowance.reset(token)


class Subscribers(ABC):
    """One vendor's subscribers, for any number of threads.

    Every method may be repeated without harm, also after it broke off between two of its calls,
    and raises the error tree's members. What it returns is a note for the record, if there is
    something to say beyond yes. `lacks` says per kind of change what the vendor does not have.

    All vendors alike: a tag or an event makes a subscriber of an address that is none yet, for
    changes may come in any order. An address that unsubscribes before it subscribed is kept as
    unsubscribed, so that a `Subscribe` that comes late does not win. Taking a tag away makes no
    subscriber.
    """

    lacks: ClassVar[dict[type, str]] = {}

    def __init__(self, name: str, call: Call) -> None:
        self._name = name
        self._call = call

    def check(self, change: SubscriberChange) -> None:
        """Raises `UnsupportedFeature` for what the vendor has no such thing as; calls nobody."""
        missing = self.lacks.get(type(change))
        if missing:
            raise UnsupportedFeature(
                f"{self._name} cannot {kind_of(change)}: {missing}", provider=self._name
            )

    def apply(self, change: SubscriberChange, key: str) -> str | None:
        """Make the change. `key` is our id of it, where the vendor recognises repeats."""
        self.check(change)
        match change:
            case Subscribe():
                return self.subscribe(change)
            case AddTag():
                return self.add_tag(change)
            case RemoveTag():
                return self.remove_tag(change)
            case RecordEvent():
                return self.record_event(change, key)
            case Unsubscribe():
                return self.unsubscribe(change)

    @abstractmethod
    def subscribe(self, change: Subscribe) -> str | None: ...

    @abstractmethod
    def add_tag(self, change: AddTag) -> str | None: ...

    @abstractmethod
    def remove_tag(self, change: RemoveTag) -> str | None: ...

    @abstractmethod
    def record_event(self, change: RecordEvent, key: str) -> str | None: ...

    @abstractmethod
    def unsubscribe(self, change: Unsubscribe) -> str | None: ...

    def send(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Answer:
        """One call, with `fields` as its JSON if there are any."""
        if allowance := _allowance.get():
            if monotonic() > allowance.ends:
                raise ProviderUnavailable(
                    f"{self._name}: {allowance.calls} calls took too long; the rest comes later",
                    provider=self._name,
                )
            allowance.calls += 1
        body = b"" if fields is None else json.dumps(dict(fields)).encode()
        return self._call(WireRequest(method=method, path=path, body=body))

    def send_to_existing(
        self, method: str, path: str, fields: Mapping[str, Any] | None = None
    ) -> Answer | None:
        """The same; None if the vendor says 404: there is nothing of this name."""
        try:
            return self.send(method, path, fields)
        except InvalidMessage as error:
            if error.status != 404:
                raise
            return None

    def objects(self, answer: Answer, name: str) -> list[dict[str, Any]]:
        """The objects of the list `name` in an answer. Raises if there is no such list."""
        value = answer.get(name)
        if not isinstance(value, list):
            raise ProviderUnavailable(
                f"{self._name} answered {answer.status} without a readable list {name!r}",
                answer.status,
                provider=self._name,
            )
        return [item for item in value if isinstance(item, dict)]


def path_segment(text: str) -> str:
    """`text` escaped for a path: `ann+news@example.com` has two characters to escape."""
    return quote(text, safe="")
