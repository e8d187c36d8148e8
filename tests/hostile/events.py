"""Stripe's and the providers' events as bytes, and posting them signed."""

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

from message import new_id
from tools.provider_events import (
    HEADERS,
    body_of,
    resend_event,
    resend_headers,
    sendgrid_event,
    sequenzy_event,
    stripe_digest,
)
from tools.site import SECRETS, Site
from tools.wire import Header, WireAnswer

WEBHOOK = "/api/webhooks/stripe"
_numbers = itertools.count(1)


def new_event_id() -> str:
    return f"evt_hostile_{next(_numbers)}"


def event(event_type: str = "customer.created", **more: Any) -> dict[str, Any]:
    """An event with an id of its own. This type means nothing to the app: stored and ignored."""
    return {"id": new_event_id(), "object": "event", "type": event_type, **more}


def checkout(customer: str, **more: Any) -> dict[str, Any]:
    """A paid checkout, which sends a receipt to `customer`; `more` replaces its parts."""
    created = event("checkout.session.completed", created=1_760_000_000)
    session = {
        "id": f"cs_{created['id']}",
        "payment_status": "paid",
        "amount_total": 2900,
        "currency": "usd",
        "customer_details": {"email": customer},
    }
    return created | {"data": {"object": session | more}}


def signature(body: bytes) -> Header:
    """A true `Stripe-Signature` for `body`, made now."""
    now = int(time.time())
    return "Stripe-Signature", f"t={now},v1={stripe_digest(body, now, SECRETS[0])}"


def post_event(site: Site, value: Any, *headers: Header) -> WireAnswer:
    """POST an event (or bytes as they are) as Stripe does."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    kind: tuple[Header, ...] = headers or (("Content-Type", "application/json; charset=utf-8"),)
    return site.send("POST", WEBHOOK, [signature(body), *kind], body)


def post_batch(site: Site, events: list[dict[str, Any]]) -> WireAnswer:
    """POST a list of events as SendGrid does."""
    body = body_of(events)
    return site.send("POST", "/api/webhooks/sendgrid", HEADERS["sendgrid"](body).items(), body)


def sender(site: Site, provider: str, email_id: str) -> Callable[[], WireAnswer]:
    """A function that delivers one event about our email, again and again, signed anew.

    Stripe's asks for a receipt. Sequenzy's says that the email's address wants no marketing,
    because it does not know our id.
    """
    address = f"{email_id}@example.com"
    if provider == "stripe":
        paid = checkout(address)
        return lambda: post_event(site, paid)
    body = body_of(
        {
            "resend": resend_event("email.opened", email_id),
            "sequenzy": sequenzy_event("subscriber.unsubscribed", None, recipient=address),
            "sendgrid": [sendgrid_event("click", email_id, url="https://example.com/")],
        }[provider]
    )
    message_id = f"msg_{new_id()}"

    def deliver() -> WireAnswer:
        own = {"resend": lambda: resend_headers(body, message_id)}
        headers = own.get(provider, lambda: HEADERS[provider](body))()
        return site.send("POST", f"/api/webhooks/{provider}", headers.items(), body)

    return deliver


SENDERS = ("stripe", "resend", "sequenzy", "sendgrid")
