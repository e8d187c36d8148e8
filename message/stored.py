"""The message as a row keeps it: plain JSON, so that every retry sends the same bytes.

It was checked when it was made: reading it back checks no address and no text again.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from message.address import Address
from message.attachment import Attachment
from message.email_message import EmailMessage
from message.unchecked import unchecked

VERSION = 1  # of this form; raise it when a field changes its meaning or goes

_FIELDS = tuple(each.name for each in attrs.fields(EmailMessage))


class UnreadableMessage(Exception):
    """This version of the code cannot read the stored message; a newer one may have stored it."""


def to_json(message: EmailMessage) -> dict[str, Any]:
    """The message as JSON values; `from_json` gives an equal message back."""
    stored: dict[str, Any] = {"version": VERSION}
    for name in _FIELDS:
        value = getattr(message, name)
        has_form = name in _WRITERS and value is not None
        stored[name] = _WRITERS[name](value) if has_form else value
    return stored


def from_json(stored: Mapping[str, Any]) -> EmailMessage:
    """The message that was stored; a field that was not known then has its default.

    Raises `UnreadableMessage` for another version, and for what is not known here.
    """
    try:
        fields = dict(stored)
        version = fields.pop("version")
        if version != VERSION:
            raise ValueError(f"it has version {version}, and this code reads {VERSION}")
        for name in _READERS.keys() & fields.keys():
            fields[name] = _READERS[name](fields[name])
        return unchecked(EmailMessage, fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableMessage(
            f"the stored message cannot be read: {error}; deploy the newer code everywhere"
        ) from error


def _address_to_json(address: Address) -> dict[str, str]:
    return {"email": address.email, "name": address.name}


def _addresses_to_json(addresses: Iterable[Address]) -> list[dict[str, str]]:
    return [_address_to_json(each) for each in addresses]


def _files_to_json(files: Iterable[Attachment]) -> list[dict[str, Any]]:
    return [attrs.asdict(each) | {"content": each.base64} for each in files]


def _address(stored: dict[str, str] | None) -> Address | None:
    return Address(**stored) if stored else None


def _addresses(stored: Iterable[dict[str, str]]) -> tuple[Address, ...]:
    return tuple(Address(**each) for each in stored)


def _files(stored: Iterable[dict[str, Any]]) -> tuple[Attachment, ...]:
    contents = [{**each, "content": base64.b64decode(each["content"])} for each in stored]
    return tuple(unchecked(Attachment, each) for each in contents)


def _mapping(stored: dict[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(stored))


def _time(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None


_WRITERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("to", "cc", "bcc", "reply_to"), _addresses_to_json),
    **dict.fromkeys(("headers", "metadata"), dict),
    **dict.fromkeys(("send_at", "expires_at"), datetime.isoformat),
    "from_email": _address_to_json,
    "attachments": _files_to_json,
    "tags": list,
}
_READERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("to", "cc", "bcc", "reply_to"), _addresses),
    **dict.fromkeys(("headers", "metadata"), _mapping),
    **dict.fromkeys(("send_at", "expires_at"), _time),
    "from_email": _address,
    "attachments": _files,
    "tags": tuple,
}
