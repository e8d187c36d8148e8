"""The message as the row keeps it: plain JSON, so that every retry sends the same bytes."""

import base64
from datetime import datetime
from typing import Any

import attrs

from message import Address, Attachment, EmailMessage


def freeze(message: EmailMessage) -> dict[str, Any]:
    """The message as JSON values; `thaw` gives an equal message back."""
    return attrs.asdict(message, value_serializer=_plain)


def thaw(stored: dict[str, Any]) -> EmailMessage:
    """The message that was frozen."""
    fields = dict(stored)
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
