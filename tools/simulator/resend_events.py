"""Resend's webhooks: the events of an email, one a POST, delivered and signed by Svix.

resend.com/docs/webhooks and docs.svix.com/retries
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tools.simulator.events import Event, Vendor, compact, first_link, iso, recipients
from tools.simulator.ledger import ReceivedEmail
from tools.simulator.signing import svix_headers
from tools.simulator.stories import Step, story
from tools.simulator.webhook_secrets import Secrets

MINUTE, HOUR = 60.0, 3600.0

_TYPES: dict[Step, str] = {
    "sent": "email.sent",
    "delivered": "email.delivered",
    "bounced": "email.bounced",
    "blocked": "email.bounced",
    "deferred": "email.delivery_delayed",
    "complained": "email.complained",
    "opened": "email.opened",
    "clicked": "email.clicked",
    "suppressed": "email.suppressed",
    "unsubscribed": "contact.updated",
}


def plan(email: ReceivedEmail, at: datetime) -> Iterator[Event]:
    """The events of `email`: `email.sent` once, the others for each recipient.

    `data.to` lists all recipients, so that the event does not say whom it is about.
    """
    for number, (step, recipient) in enumerate(_steps(email)):
        moment = at + timedelta(milliseconds=number)
        if step == "unsubscribed":
            data = _contact(recipient, moment)
        else:
            data = _data(email, at) | _details(step, email, moment)
        yield _event(email, _TYPES[step], recipient, moment, data)
    if email.payload.get("scheduled_at"):
        yield _event(email, "email.scheduled", email.to[0], at, _data(email, at))


def _steps(email: ReceivedEmail) -> Iterator[tuple[Step, str]]:
    if email.payload.get("scheduled_at"):
        return
    stories = {recipient: story(recipient) for recipient in recipients(email)}
    sent = [recipient for recipient, steps in stories.items() if "sent" in steps]
    if sent:
        yield "sent", sent[0]
    for recipient, steps in stories.items():
        yield from ((step, recipient) for step in steps if step != "sent")


def _event(
    email: ReceivedEmail, kind: str, recipient: str, moment: datetime, data: dict[str, Any]
) -> Event:
    return Event(
        id=f"msg_{uuid4().hex}",
        type=kind,
        email_id=email.id,
        recipient=recipient,
        fields={"type": kind, "created_at": iso(moment), "data": data},
    )


def _data(email: ReceivedEmail, at: datetime) -> dict[str, Any]:
    return {
        "created_at": at.isoformat(timespec="microseconds"),
        "email_id": email.id,
        "message_id": f"<{email.id}@resend.example>",
        "from": email.sender,
        "to": list(email.to),
        "subject": email.subject,
        "tags": dict(email.metadata),  # sent as a list, given back as a map
    }


def _contact(recipient: str, moment: datetime) -> dict[str, Any]:
    # There is no email.unsubscribed: it is a change of the contact.
    return {
        "id": str(uuid4()),
        "audience_id": str(uuid4()),
        "segment_ids": [],
        "created_at": iso(moment),
        "updated_at": iso(moment),
        "email": recipient,
        "first_name": None,
        "last_name": None,
        "unsubscribed": True,
    }


def _details(step: Step, email: ReceivedEmail, moment: datetime) -> dict[str, Any]:
    details: dict[Step, Callable[[], dict[str, Any]]] = {
        "bounced": lambda: {"bounce": _BOUNCE},
        "blocked": lambda: {"bounce": _SOFT_BOUNCE},
        "suppressed": lambda: {"suppressed": _SUPPRESSED},
        "clicked": lambda: {"click": _click(email, moment)},
    }
    return details[step]() if step in details else {}


def _click(email: ReceivedEmail, moment: datetime) -> dict[str, Any]:
    return {
        "ipAddress": "192.0.2.1",
        "link": first_link(email),
        "timestamp": iso(moment),
        "userAgent": "Mozilla/5.0 (simulated)",
    }


_BOUNCE = {
    "type": "Permanent",
    "subType": "General",
    "message": "The recipient's mail server has no such mailbox.",
    "diagnosticCode": ["smtp; 550 5.1.1 user unknown"],
}
_SOFT_BOUNCE = {
    "type": "Transient",
    "subType": "MailboxFull",
    "message": "The recipient's mailbox is full.",
    "diagnosticCode": ["smtp; 452 4.2.2 mailbox full"],
}
_SUPPRESSED = {
    "type": "OnAccountSuppressionList",
    "message": "The address is on the suppression list of the account.",
}


def _encode(events: Sequence[Event]) -> bytes:
    return compact(events[0].fields)


def _sign(secrets: Secrets, events: Sequence[Event], body: bytes, timestamp: int) -> dict[str, str]:
    return svix_headers(secrets.resend, events[0].id, body, timestamp)


VENDOR = Vendor(
    name="resend",
    plan=plan,
    encode=_encode,
    sign=_sign,
    patience=15.0,
    waits=(5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR),
)
