"""Sequenzy's webhook (docs.sequenzy.com/integrations/outbound-webhooks): one event a body.

Bounce, click and failure details are not documented, so every spelling that is seen is looked for.
"""

import json
from collections.abc import Mapping
from typing import Any

from events import BounceClass, EventType, TrackingEvent
from providers import webhook
from providers.webhook import Delivery, Item, UnusableEvent, Webhook, member
from signatures import sequenzy_digest, verify_sequenzy_signature

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

    def is_genuine(
        self,
        payload: bytes,
        headers: Mapping[str, str],
        secret: str,
        max_age: float | None = None,
    ) -> bool:
        return verify_sequenzy_signature(
            payload,
            headers.get("x-sequenzy-timestamp", ""),
            headers.get("x-sequenzy-signature", ""),
            secret,
        )

    def items(self, payload: bytes, headers: Mapping[str, str]) -> list[Item]:
        data = webhook.json_value(payload)
        if not isinstance(data, dict) or not isinstance(data.get("type"), str):
            raise UnusableEvent("the body is no event")
        if data.get("id") is None:
            raise UnusableEvent("id is missing")
        event_id = webhook.id_or_hash(data["id"])
        return [Item(event_id=event_id, type=webhook.words(data["type"]), data=data)]

    def read(self, item: Item) -> TrackingEvent | None:
        kind = EVENT_TYPES.get(item.type)
        if kind is None:
            return None
        data = item.data.get("data")
        if not isinstance(data, dict):
            raise UnusableEvent("data is missing")
        # A bounce is always hard here: soft trouble is delayed, and failed in the end.
        bounced = kind is EventType.BOUNCED
        return TrackingEvent(
            provider="sequenzy",
            event_id=item.event_id,
            type=kind,
            at=webhook.moment(item.data.get("created_at")),
            provider_message_id=webhook.message_id(data.get("email_send_id")),
            recipient=_recipient(data),
            bounce=webhook.bounce_class(_reason(data), BounceClass.HARD) if bounced else None,
            reason=_reason(data),
        )

    def flaw(self, secret: str) -> str | None:
        return None if secret.startswith("whsec_") else "it does not begin with whsec_"

    def ping(self, event_id: str, timestamp: str, secret: str) -> Delivery:
        event = {"id": event_id, "type": "ping", "object": "event", "data": {}}
        body = json.dumps(event).encode()
        headers = {
            "x-sequenzy-timestamp": timestamp,
            "x-sequenzy-signature": f"v1={sequenzy_digest(body, timestamp, secret).hex()}",
        }
        return Delivery(body=body, headers=headers)


def _recipient(data: Mapping[str, Any]) -> str | None:
    addresses = (data.get("recipient"), data.get("email"), member(data, "subscriber", "email"))
    return next((found for each in addresses if (found := webhook.recipient(each))), None)


def _reason(data: Mapping[str, Any]) -> str:
    return webhook.words(
        data.get("reason"),
        data.get("bounce_reason"),
        member(data, "failure", "message"),
        member(data, "failure", "code"),
        data.get("url"),
        data.get("link"),
    )
