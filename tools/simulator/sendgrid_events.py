"""SendGrid's webhooks: the events of each recipient, in arrays that are signed as a whole.

Twilio's docs, "Event Webhook Reference" and "Getting Started with the Event Webhook Security
Features".
"""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tools.simulator.events import Event, Vendor, compact, first_link, growing, recipients
from tools.simulator.ledger import ReceivedEmail
from tools.simulator.signing import sendgrid_headers
from tools.simulator.stories import Step, story
from tools.simulator.webhook_secrets import Secrets

_FILTER = "filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9"  # a machine, as in Twilio's samples
_READER = {"ip": "192.0.2.1", "useragent": "Mozilla/5.0 (simulated)"}

_FIELDS: dict[Step, dict[str, Any]] = {
    "sent": {"event": "processed"},
    "delivered": {"event": "delivered", "response": "250 OK", "ip": "192.0.2.25", "tls": 1},
    "deferred": {
        "event": "deferred",
        "response": "450 4.2.1 try again later",
        "attempt": "1",
        "ip": "192.0.2.25",
        "tls": 0,
    },
    "bounced": {
        "event": "bounce",
        "type": "bounce",
        "bounce_classification": "Invalid Address",
        "reason": "550 5.1.1 user unknown",
        "status": "5.1.1",
        "ip": "192.0.2.25",
        "tls": 1,
    },
    "blocked": {
        "event": "bounce",
        "type": "blocked",
        "bounce_classification": "Mailbox Unavailable",
        "reason": "452 4.2.2 mailbox full",
        "status": "4.2.2",
        "ip": "192.0.2.25",
        "tls": 1,
    },
    "suppressed": {"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"},
    "complained": {"event": "spamreport"},
    "opened": {"event": "open", "sg_machine_open": False, "sg_content_type": "html", **_READER},
    "clicked": {"event": "click", "url_offset": {"index": 0, "type": "html"}, **_READER},
    "unsubscribed": {"event": "unsubscribe"},
}


def plan(email: ReceivedEmail, at: datetime) -> Iterator[Event]:
    """The events of each recipient of one personalization."""
    if email.payload.get("send_at", 0) > at.timestamp():
        return
    skipped = _not_tracked(email.payload.get("tracking_settings"))
    for index, recipient in enumerate(recipients(email)):
        for number, step in enumerate(story(recipient)):
            if step not in skipped:
                yield _event(email, index, step, recipient, at + timedelta(milliseconds=number))


def _not_tracked(settings: Any) -> set[Step]:
    names: dict[str, Step] = {"open_tracking": "opened", "click_tracking": "clicked"}
    given = settings if isinstance(settings, dict) else {}
    return {
        step
        for name, step in names.items()
        if isinstance(given.get(name), dict) and given[name].get("enable") is False
    }


def _event(email: ReceivedEmail, index: int, step: Step, recipient: str, moment: datetime) -> Event:
    event_id = _new_id()
    link = {"url": first_link(email)} if step == "clicked" else {}
    fields = {
        **email.metadata,  # custom_args stand beside our own fields, which win
        "email": recipient,
        "timestamp": int(moment.timestamp()),
        "smtp-id": f"<{email.id}@ismtpd0001p1.sendgrid.example>",
        "sg_event_id": event_id,
        "sg_message_id": f"{email.id}.{_FILTER}.{index}",
        **_category(email.payload.get("categories", [])),
        **_FIELDS[step],
        **link,
    }
    kind = _FIELDS[step]["event"]
    return Event(id=event_id, type=kind, email_id=email.id, recipient=recipient, fields=fields)


def _category(categories: list[str]) -> dict[str, Any]:
    if not categories:
        return {}
    return {"category": categories[0] if len(categories) == 1 else categories}


def _new_id() -> str:
    return base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")


def _repeat(event: Event) -> Event:
    # Its docs say that sg_event_id tells repeats; in the wild they come with another one
    # (sendgrid-nodejs#1435).
    event_id = _new_id()
    return replace(event, id=event_id, fields={**event.fields, "sg_event_id": event_id})


def _encode(events: Sequence[Event]) -> bytes:
    # The line end belongs to what is signed.
    return compact([event.fields for event in events]) + b"\r\n"


def _sign(secrets: Secrets, _: Sequence[Event], body: bytes, timestamp: int) -> dict[str, str]:
    return sendgrid_headers(secrets.sendgrid, body, timestamp)


VENDOR = Vendor(
    name="sendgrid",
    plan=plan,
    encode=_encode,
    sign=_sign,
    patience=10.0,  # theirs is not known
    waits=growing(30.0, total=24 * 3600.0),
    batch=1000,
    signs_once=True,  # whether a retry is signed anew is not known: this is harder to receive
    repeat=_repeat,
)
