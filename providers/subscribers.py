"""The contract of a provider's marketing side: one small interface for what each of them has."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

from errors import UnsupportedFeature
from providers.base import Answer, WireRequest
from subscriber_changes import (
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


class Subscribers(ABC):
    """One vendor's subscribers. Every method may be repeated without harm, and raises the error
    tree's members. `lacks` says per kind of change what the vendor does not have."""

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

    def apply(self, change: SubscriberChange, key: str) -> None:
        """Make the change. `key` is our id of it, where the vendor recognises repeats."""
        self.check(change)
        match change:
            case Subscribe():
                self.subscribe(change)
            case AddTag():
                self.add_tag(change)
            case RemoveTag():
                self.remove_tag(change)
            case RecordEvent():
                self.record_event(change, key)
            case Unsubscribe():
                self.unsubscribe(change)

    @abstractmethod
    def subscribe(self, change: Subscribe) -> None: ...

    @abstractmethod
    def add_tag(self, change: AddTag) -> None: ...

    @abstractmethod
    def remove_tag(self, change: RemoveTag) -> None: ...

    @abstractmethod
    def record_event(self, change: RecordEvent, key: str) -> None: ...

    @abstractmethod
    def unsubscribe(self, change: Unsubscribe) -> None: ...
