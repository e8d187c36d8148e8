"""Sequenzy's webhooks: the events of each recipient, one a POST (docs.sequenzy.com).

The names of the details of bounces, clicks and failures are guesses: the docs do not give them.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tools.simulator.events import Event, Vendor, compact, first_link, growing, iso, recipients
from tools.simulator.ledger import ReceivedEmail
from tools.simulator.signing import sequenzy_headers
from tools.simulator.stories import Step, story
from tools.simulator.webhook_secrets import Secrets

# Bounces are always hard here: an email given up after temporary trouble has failed. Nothing at
# all is said of one that was suppressed.
_METRICS: dict[Step, tuple[str, ...]] = {
    "sent": ("sent",),
    "delivered": ("delivered",),
    "bounced": ("bounced",),
    "blocked": ("delivery_delayed", "failed"),
    "deferred": ("delivery_delayed",),
    "complained": ("complained",),
    "opened": ("opened",),
    "clicked": ("clicked",),
    "suppressed": (),
    "unsubscribed": ("unsubscribed",),
}


def plan(email: ReceivedEmail, at: datetime) -> Iterator[Event]:
    """The events of each recipient."""
    skipped = _not_tracked(email.payload.get("trackingSettings", {}))
    for recipient in recipients(email):
        steps = [step for step in story(recipient) if step not in skipped]
        metrics = [metric for step in steps for metric in _METRICS[step]]
        for number, metric in enumerate(metrics):
            yield _event(email, metric, recipient, at + timedelta(milliseconds=number))


def _not_tracked(settings: dict[str, Any]) -> set[Step]:
    names: dict[str, Step] = {"openTracking": "opened", "clickTracking": "clicked"}
    return {step for name, step in names.items() if settings.get(name) is False}


def _event(email: ReceivedEmail, metric: str, recipient: str, moment: datetime) -> Event:
    external_id = email.metadata.get("external_id")
    data = {
        "email_send_id": email.id,
        "message_id": f"<{email.id}@eu-west-1.amazonses.example>",
        "campaign_id": None,
        "subscriber_id": None,
        **({"external_id": external_id} if external_id else {}),
        "recipient": recipient,
        "subject": email.subject,
        "email_type": email.payload.get("emailType", "transactional"),
        "metadata": {"source": "api"},
        **(_DETAILS[metric](email) if metric in _DETAILS else {}),
    }
    event_id, kind = f"evt_{uuid4().hex}", f"email.{metric}"
    fields = {
        "id": event_id,
        "type": kind,
        "object": "event",
        "metric": metric,
        "created_at": iso(moment),
        "data": data,
    }
    return Event(id=event_id, type=kind, email_id=email.id, recipient=recipient, fields=fields)


_READER = {"user_agent": "Mozilla/5.0 (simulated)", "ip_address": "192.0.2.1"}
_DETAILS: dict[str, Callable[[ReceivedEmail], dict[str, Any]]] = {
    "bounced": lambda _: {
        "bounce_type": "Permanent",
        "bounce_sub_type": "General",
        "reason": "smtp; 550 5.1.1 user unknown",
    },
    "delivery_delayed": lambda _: {"reason": "smtp; 452 4.2.2 mailbox full"},
    "failed": lambda _: {
        "reason": "Delivery was given up.",
        "failure": {"code": "DELIVERY_EXPIRED", "message": "Delivery was given up."},
    },
    "opened": lambda _: _READER,
    "clicked": lambda email: {"url": first_link(email), **_READER},
}


def _encode(events: Sequence[Event]) -> bytes:
    return compact(events[0].fields)


def _sign(secrets: Secrets, _: Sequence[Event], body: bytes, timestamp: int) -> dict[str, str]:
    return sequenzy_headers(secrets.sequenzy, body, timestamp)


VENDOR = Vendor(
    name="sequenzy",
    plan=plan,
    encode=_encode,
    sign=_sign,
    patience=4.0,
    waits=growing(10.0, total=7 * 24 * 3600.0),
)
