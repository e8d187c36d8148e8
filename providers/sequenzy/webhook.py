"""Sequenzy's webhook (docs.sequenzy.com/integrations/outbound-webhooks): one event a body.

Bounce, click and failure details are not documented, so every spelling that is seen is looked for.
"""

import json
from collections.abc import Mapping
from math import inf
from typing import Any

from providers import webhook
from providers.events import BounceClass, EventType, TrackingEvent
from providers.signatures import sequenzy_digest, verify_sequenzy_signature
from providers.webhook import Headers, RawEvent, SignedEvent, UnusableEvent, Webhook, nested

EVENT_TYPES = {
    "email.sent": EventType.SENT,
    "email.delivered": EventType.DELIVERED,
    "email.delivery_delayed": EventType.DEFERRED,
    "email.bounced": EventType.BOUNCED,
    "email.failed": EventType.FAILED,
    "email.complained": EventType.COMPLAINED,
    "email.suppressed": EventType.REJECTED,  # a status of its API; no event of that name is known
    "email.opened": EventType.OPENED,
    "email.clicked": EventType.CLICKED,
    "email.unsubscribed": EventType.UNSUBSCRIBED,
    "subscriber.unsubscribed": EventType.UNSUBSCRIBED,
}


class SequenzyWebhook(Webhook):
    """The email is known by `email_send_id` alone: Sequenzy gives nothing of ours back."""

    setting = "SEQUENZY_WEBHOOK_SECRET"
    simulator_key = "whsec_the_simulators_sequenzy_secret"

    def verify(self, payload: bytes, headers: Headers, secret: str, max_age: float = inf) -> bool:
        return verify_sequenzy_signature(
            payload,
            headers.get("x-sequenzy-timestamp", ""),
            headers.get("x-sequenzy-signature", ""),
            secret,
        )

    def split(self, payload: bytes, headers: Headers) -> list[RawEvent]:
        data = webhook.json_event(payload)
        if data.get("id") is None:
            raise UnusableEvent("id is missing")
        event_id = webhook.id_or_hash(data["id"])
        return [RawEvent(event_id=event_id, type=webhook.first_text(data["type"]), data=data)]

    def parse(self, event: RawEvent) -> TrackingEvent | None:
        kind = EVENT_TYPES.get(event.type)
        if kind is None:
            return None
        data = event.data.get("data")
        if not isinstance(data, dict):
            raise UnusableEvent("data is missing")
        # docs.sequenzy.com: email.bounced is a hard bounce; a soft one is delayed, then failed.
        bounced = kind is EventType.BOUNCED
        return TrackingEvent(
            provider="sequenzy",
            event_id=event.event_id,
            type=kind,
            at=webhook.parse_time(event.data.get("created_at")),
            # docs.sequenzy.com: email_send_id is the emailSendId of the send, unlike message_id.
            provider_message_id=webhook.message_id(data.get("email_send_id")),
            recipient=_recipient(data),
            bounce=webhook.bounce_class(_reason(data), BounceClass.HARD) if bounced else None,
            reason=_reason(data),
        )

    def secret_error(self, secret: str) -> str | None:
        return None if secret.startswith("whsec_") else "it does not begin with whsec_"

    def test_event(self, event_id: str, timestamp: str, secret: str) -> SignedEvent:
        event = {"id": event_id, "type": "ping", "object": "event", "data": {}}
        body = json.dumps(event).encode()
        headers = {
            "x-sequenzy-timestamp": timestamp,
            "x-sequenzy-signature": f"v1={sequenzy_digest(body, timestamp, secret).hex()}",
        }
        return SignedEvent(body=body, headers=headers)


def _recipient(data: Mapping[str, Any]) -> str | None:
    # Which of them a subscriber event has is not documented.
    addresses = (data.get("recipient"), data.get("email"), nested(data, "subscriber", "email"))
    return next((found for each in addresses if (found := webhook.recipient(each))), None)


def _reason(data: Mapping[str, Any]) -> str:
    return webhook.first_text(
        data.get("reason"),
        data.get("bounce_reason"),
        nested(data, "failure", "message"),
        nested(data, "failure", "code"),
        data.get("url"),
        data.get("link"),
    )
