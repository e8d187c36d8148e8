"""Acme: the smallest provider that sends an email and hears what became of it.

Copy it to `providers/acme.py` and set EMAIL_PROVIDER, ACME_API_KEY and ACME_WEBHOOK_SECRET.
"""

import hmac
import json
from hashlib import sha256
from math import inf

from message import EmailMessage
from providers import webhook
from providers.base import Answer, Capabilities, Receipt, WireRequest
from providers.events import BounceClass, EventType, TrackingEvent
from providers.http import HttpProvider
from providers.webhook import Headers, RawEvent, Webhook

EVENT_TYPES = {"delivered": EventType.DELIVERED, "bounced": EventType.BOUNCED}


class AcmeWebhook(Webhook):
    """One event a body, signed in the header X-Acme-Signature."""

    setting = "ACME_WEBHOOK_SECRET"

    def verify(self, payload: bytes, headers: Headers, secret: str, max_age: float = inf) -> bool:
        expected = hmac.new(secret.encode(), payload, sha256).hexdigest()
        given = headers.get("x-acme-signature", "")
        return hmac.compare_digest(expected.encode(), given.encode())

    def split(self, payload: bytes, headers: Headers) -> list[RawEvent]:
        event = webhook.json_event(payload)  # an object with a type, or UnusableEvent
        event_id = webhook.id_or_hash(event.get("id"))
        return [RawEvent(event_id=event_id, type=webhook.first_text(event["type"]), data=event)]

    def parse(self, event: RawEvent) -> TrackingEvent | None:
        kind = EVENT_TYPES.get(event.type)
        if kind is None:
            return None
        reason = webhook.first_text(event.data.get("reason"))
        return TrackingEvent(
            provider="acme",
            event_id=event.event_id,
            type=kind,
            at=webhook.parse_time(event.data.get("time")),
            provider_message_id=webhook.message_id(event.data.get("message_id")),
            bounce=_bounce(reason) if kind is EventType.BOUNCED else None,
            reason=reason,
        )


def _bounce(reason: str) -> BounceClass:
    """Hard if the reason has a status code such as 5.1.1; only hard ones stop all email at once."""
    return webhook.bounce_class(reason, BounceClass.UNDETERMINED)


class Acme(HttpProvider):
    """One recipient, no attachments; a repeated key sends a second email."""

    name = "acme"
    default_url = "https://api.acme.example"
    webhook = AcmeWebhook()
    capabilities = Capabilities(
        max_recipients=1, max_reply_to=0, max_attachments=0, max_bytes=10**7, idempotency_window=0
    )

    def build(self, message: EmailMessage, key: str) -> WireRequest:
        self.check(message, key)
        fields = {
            "from": str(message.from_email),
            "to": str(message.to[0]),
            "cc": [str(each) for each in message.cc],
            "bcc": [str(each) for each in message.bcc],
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": dict(message.headers),
        }
        return WireRequest(path="/send", body=json.dumps(fields).encode())

    def receipt(self, answer: Answer) -> Receipt:
        return Receipt(provider=self.name, message_id=answer.get("id"), status=answer.status)

    def error_message(self, answer: Answer) -> str:
        return str(answer.get("error") or "")
