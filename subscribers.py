"""The marketing side: who gets it, what we know of them, what they did. Kept at the provider.

    subscribers.subscribe("ann@example.com", first_name="Ann", tags=["trial"])
    db.session.commit()

Each function stores a change in the outbox, in the transaction of `db.session`; it reaches the
first provider of EMAIL_PROVIDER within seconds of the commit, or after its outage. They raise
`InvalidMessage` for what cannot be kept, `UnsupportedFeature` if that provider has no such thing.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from background import change_in_background
from errors import UnsupportedFeature
from outbox import OutboxChange
from providers import AddTag, RecordEvent, RemoveTag, Subscribe, Unsubscribe, Value

if_supported = suppress(UnsupportedFeature)
"""`with subscribers.if_supported:` around what must work with every provider."""


def subscribe(
    email: str,
    *,
    first_name: str = "",
    last_name: str = "",
    tags: Iterable[str] = (),
    attributes: Mapping[str, Value] | None = None,
) -> OutboxChange:
    """Add a subscriber, or bring one up to date; tags and attributes join those there.

    Somebody who unsubscribed stays unsubscribed.
    """
    return change_in_background(
        Subscribe(
            email=email,
            first_name=first_name,
            last_name=last_name,
            tags=tags,
            attributes=attributes or {},
        )
    )


def add_tag(email: str, tag: str) -> OutboxChange:
    """Give a subscriber a tag such as `customer`; a new subscriber if there is none."""
    return change_in_background(AddTag(email=email, tag=tag))


def remove_tag(email: str, tag: str) -> OutboxChange:
    """Take a tag away."""
    return change_in_background(RemoveTag(email=email, tag=tag))


def record_event(
    email: str, event: str, properties: Mapping[str, Value] | None = None
) -> OutboxChange:
    """Tell the provider what a subscriber did; a sequence there may start with it."""
    return change_in_background(RecordEvent(email=email, event=event, properties=properties or {}))


def unsubscribe(email: str) -> OutboxChange:
    """Tell the provider that this person wants no marketing. Our own list is `suppression`."""
    return change_in_background(Unsubscribe(email=email))
