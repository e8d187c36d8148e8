"""What can be asked of a provider about one subscriber. Values only, checked when they are made.

`Subscribe` `AddTag` `RemoveTag` `RecordEvent` `Unsubscribe`; each may be repeated without harm.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs
from attrs import field, frozen

from errors import InvalidMessage
from message import Address, UnreadableMessage, one_line, unchecked

MAX_TAGS = 20
MAX_ATTRIBUTES = 50
MAX_VALUES_BYTES = 10_000  # of all attributes or properties together, as JSON

_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,49}")
_TAG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

Value = str | int | float | bool | None
"""What an attribute or property may hold: what JSON has, without lists and objects."""


def _email(value: str | Address) -> str:
    # Lower case, because lists at providers are kept by it, and so are our suppressions.
    return Address.parse(value, "email").email.lower()


def _tag(value: str) -> str:
    tag = one_line(value, "tag", 100)
    if not _TAG.fullmatch(tag):  # the form to which Sequenzy reduces any other
        raise InvalidMessage(f"tag {tag!r} must be like paying-customer", field="tag")
    return tag


def _tags(value: Iterable[str]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(_tag(each) for each in value))
    if isinstance(value, str) or len(tags) > MAX_TAGS:
        raise InvalidMessage(f"tags must be a list of at most {MAX_TAGS}", field="tags")
    return tags


def _name(value: str) -> str:
    return one_line(value, "name", 100).strip()


def _event(value: str) -> str:
    if not one_line(value, "event", 100).strip():
        raise InvalidMessage("event is empty", field="event")
    return value


def _attributes(value: Mapping[str, Value]) -> Mapping[str, Value]:
    values = _values(value, "attributes")
    for name in values:
        if not _ATTRIBUTE.fullmatch(name):  # a field at Resend and SendGrid has no other form
            raise InvalidMessage(
                f"attribute {name!r} must be like plan_name, with at most 50 characters",
                field="attributes",
            )
    if len({name.lower() for name in values}) < len(values):  # the same field at SendGrid
        raise InvalidMessage("attributes differ in case only", field="attributes")
    return values


def _properties(value: Mapping[str, Value]) -> Mapping[str, Value]:
    return _values(value, "properties")


def _values(value: Mapping[str, Value], what: str) -> Mapping[str, Value]:
    if not isinstance(value, Mapping) or len(value) > MAX_ATTRIBUTES:
        raise InvalidMessage(
            f"{what} must be names with values, at most {MAX_ATTRIBUTES}", field=what
        )
    for name, content in value.items():
        one_line(name, what, 100)
        if not isinstance(content, Value):
            raise InvalidMessage(
                f"{what}[{name}] must be text, a number, true, false or null", field=what
            )
        if isinstance(content, str):
            one_line(content, f"{what}[{name}]", 1000)
    try:
        size = len(json.dumps(dict(value), allow_nan=False))
    except ValueError:
        raise InvalidMessage(f"{what} hold a number that JSON cannot", field=what) from None
    if size > MAX_VALUES_BYTES:
        raise InvalidMessage(
            f"{what} have {size} bytes; the limit is {MAX_VALUES_BYTES}", field=what
        )
    return MappingProxyType(dict(value))


@frozen(kw_only=True)
class Subscribe:
    """Add a subscriber, or bring one up to date; tags and attributes are added to those there.

    What is not given stays as it is. An attribute that is None is cleared. Where a provider has
    fields of text and numbers only, true and false become text.
    Somebody who unsubscribed stays unsubscribed.
    """

    email: str = field(converter=_email)
    first_name: str = field(default="", converter=_name)
    last_name: str = field(default="", converter=_name)
    tags: tuple[str, ...] = field(default=(), converter=_tags)
    attributes: Mapping[str, Value] = field(factory=dict, converter=_attributes)


@frozen(kw_only=True)
class AddTag:
    """Give a subscriber one more tag."""

    email: str = field(converter=_email)
    tag: str = field(converter=_tag)


@frozen(kw_only=True)
class RemoveTag:
    """Take a tag away; nothing happens if there is none."""

    email: str = field(converter=_email)
    tag: str = field(converter=_tag)


@frozen(kw_only=True)
class RecordEvent:
    """Something the subscriber did, which may start a sequence at the provider."""

    email: str = field(converter=_email)
    event: str = field(converter=_event)
    properties: Mapping[str, Value] = field(factory=dict, converter=_properties)


@frozen(kw_only=True)
class Unsubscribe:
    """No marketing any more, whatever list it comes from."""

    email: str = field(converter=_email)


SubscriberChange = Subscribe | AddTag | RemoveTag | RecordEvent | Unsubscribe

_KINDS: dict[str, type[SubscriberChange]] = {
    "subscribe": Subscribe,
    "add-tag": AddTag,
    "remove-tag": RemoveTag,
    "record-event": RecordEvent,
    "unsubscribe": Unsubscribe,
}


def kind_of(change: SubscriberChange) -> str:
    """The word for this kind of change in rows, lists and errors."""
    return next(word for word, kind in _KINDS.items() if isinstance(change, kind))


def change_to_json(change: SubscriberChange) -> dict[str, Any]:
    """The change as JSON values; `change_from_json` gives an equal one back."""
    return {"change": kind_of(change), **attrs.asdict(change, value_serializer=_plain)}


_READERS: dict[str, Callable[[Any], Any]] = {
    "tags": tuple,
    "attributes": MappingProxyType,
    "properties": MappingProxyType,
}


def change_from_json(stored: Mapping[str, Any]) -> SubscriberChange:
    """The change that was frozen. It was checked when it was made, and is not checked again.

    Raises `UnreadableMessage` for what this version of the code does not know.
    """
    try:
        fields = dict(stored)
        kind = _KINDS[fields.pop("change")]
        for name in _READERS.keys() & fields.keys():
            fields[name] = _READERS[name](fields[name])
        return unchecked(kind, fields)
    except (KeyError, TypeError) as error:
        raise UnreadableMessage(
            f"the stored change cannot be read: {error}; deploy the newer code everywhere"
        ) from error


def _plain(_owner: Any, _field: Any, value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
