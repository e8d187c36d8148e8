"""The message as a row keeps it: plain JSON, so that every retry sends the same bytes."""

import base64
from datetime import datetime
from typing import Any

import attrs

from message.address import Address
from message.attachment import Attachment
from message.email_message import EmailMessage

VERSION = 1  # of this form; raise it when a field changes its meaning or goes


def to_json(message: EmailMessage) -> dict[str, Any]:
    """The message as JSON values; `from_json` gives an equal message back."""
    return {"version": VERSION, **attrs.asdict(message, value_serializer=_plain)}


def from_json(stored: dict[str, Any]) -> EmailMessage:
    """The message that was stored. Raises `ValueError` for a version that is not known here."""
    fields = dict(stored)
    version = fields.pop("version")
    if version != VERSION:
        raise ValueError(
            f"the stored message has version {version}, and this code reads {VERSION}: "
            "deploy the newer code everywhere"
        )
    for name in ("to", "cc", "bcc", "reply_to"):
        fields[name] = [Address(**each) for each in stored[name]]
    if stored["from_email"]:
        fields["from_email"] = Address(**stored["from_email"])
    fields["attachments"] = [
        Attachment(**{**each, "content": base64.b64decode(each["content"])})
        for each in stored["attachments"]
    ]
    for name in ("send_at", "expires_at"):
        if stored[name]:
            fields[name] = datetime.fromisoformat(stored[name])
    return EmailMessage(**fields)


def _plain(_owner: Any, _field: Any, value: Any) -> Any:
    match value:
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime():
            return value.isoformat()
        case _ if hasattr(value, "items"):
            return dict(value)
        case _:
            return value
