"""The providers by name, and the vocabulary that they share.

A new provider is a file or a folder beside these with a subclass of `Provider`; it is found here.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator

from providers.base import Answer, Provider, Receipt, SenderRecords, WireRequest
from providers.changes import (
    AddTag,
    RecordEvent,
    RemoveTag,
    Subscribe,
    SubscriberChange,
    Unsubscribe,
    Value,
    change_from_json,
    change_to_json,
    kind_of,
)
from providers.events import BounceClass, EventType, TrackingEvent
from providers.signatures import stripe_digest, verify_stripe_signature
from providers.subscribers import allow_until
from providers.webhook import Headers, RawEvent, SignedEvent, UnusableEvent, Webhook

__all__ = [
    "PROVIDERS",
    "AddTag",
    "Answer",
    "BounceClass",
    "EventType",
    "Headers",
    "Provider",
    "RawEvent",
    "Receipt",
    "RecordEvent",
    "RemoveTag",
    "SenderRecords",
    "SignedEvent",
    "Subscribe",
    "SubscriberChange",
    "TrackingEvent",
    "Unsubscribe",
    "UnusableEvent",
    "Value",
    "Webhook",
    "WireRequest",
    "allow_until",
    "change_from_json",
    "change_to_json",
    "kind_of",
    "stripe_digest",
    "verify_stripe_signature",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def _named(classes: Iterable[type[Provider]]) -> Iterator[type[Provider]]:
    for each in classes:
        if "name" in vars(each):
            yield each
        yield from _named(each.__subclasses__())


PROVIDERS: dict[str, type[Provider]] = {
    provider.name: provider
    for provider in sorted(
        _named(Provider.__subclasses__()), key=lambda each: (not each.delivers, each.name)
    )
}
"""Every provider by name, in alphabetical order; those that deliver nothing come last."""
