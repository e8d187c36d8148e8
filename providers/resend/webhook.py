"""Resend's webhook (resend.com/docs/webhooks): one event a body, signed by Svix."""

import base64
import json
from collections.abc import Mapping
from math import inf
from typing import Any

from providers import webhook
from providers.events import BounceClass, EventType, TrackingEvent
from providers.signatures import svix_digest, svix_key, verify_svix_signature
from providers.webhook import Headers, RawEvent, SignedEvent, UnusableEvent, Webhook, nested

EVENT_TYPES = {
    "email.scheduled": EventType.QUEUED,
    "email.sent": EventType.SENT,
    "email.delivered": EventType.DELIVERED,
    "email.delivery_delayed": EventType.DEFERRED,
    "email.bounced": EventType.BOUNCED,
    "email.complained": EventType.COMPLAINED,
    "email.suppressed": EventType.REJECTED,
    "email.failed": EventType.FAILED,
    "email.opened": EventType.OPENED,
    "email.clicked": EventType.CLICKED,
}
BOUNCE_LABELS = {"permanent": BounceClass.HARD, "transient": BounceClass.SOFT}


class ResendWebhook(Webhook):
    """The event's id is in a header only; our id comes back among the tags."""

    setting = "RESEND_WEBHOOK_SECRET"
    simulator_key = "whsec_dGhlIHNpbXVsYXRvcidzIFJlc2VuZCBrZXk="

    def verify(self, payload: bytes, headers: Headers, secret: str, max_age: float = inf) -> bool:
        return verify_svix_signature(
            payload,
            headers.get("svix-id", ""),
            headers.get("svix-timestamp", ""),
            headers.get("svix-signature", ""),
            secret,
        )

    def split(self, payload: bytes, headers: Headers) -> list[RawEvent]:
        data = webhook.json_event(payload)
        # resend.com/docs/webhooks: the svix-id is the same on every retry; no id is in the body.
        event_id = webhook.id_or_hash(headers.get("svix-id"))
        return [RawEvent(event_id=event_id, type=webhook.first_text(data["type"]), data=data)]

    def parse(self, event: RawEvent) -> TrackingEvent | None:
        if event.type == "contact.updated":
            return self._contact(event)
        kind = EVENT_TYPES.get(event.type)
        if kind is None:
            return None
        data = event.data.get("data")
        if not isinstance(data, dict):
            raise UnusableEvent("data is missing")
        return TrackingEvent(
            provider="resend",
            event_id=event.event_id,
            type=kind,
            # Resend's OpenAPI: data.created_at is when the email was made, not when this happened.
            at=webhook.parse_time(event.data.get("created_at")),
            provider_message_id=webhook.message_id(data.get("email_id")),
            # Resend's OpenAPI: tags are sent as a list, and come back as a map.
            email_id=webhook.our_id(nested(data, "tags", "email_id")),
            recipient=_only_recipient(data.get("to")),
            names_one=False,  # `to` lists whom the email went to, not which of them it is about
            bounce=_bounce(kind, data),
            reason=_reason(data),
        )

    def secret_error(self, secret: str) -> str | None:
        # docs.svix.com: the key is what stands behind whsec_, in base64.
        valid = secret.startswith("whsec_") and svix_key(secret)
        return None if valid else "it is not whsec_ followed by base64"

    def test_event(self, event_id: str, timestamp: str, secret: str) -> SignedEvent:
        body = json.dumps({"type": "ping", "data": {}}).encode()
        digest = svix_digest(body, event_id, timestamp, svix_key(secret))
        headers = {
            "svix-id": event_id,
            "svix-timestamp": timestamp,
            "svix-signature": f"v1,{base64.b64encode(digest).decode()}",
        }
        return SignedEvent(body=body, headers=headers)

    def _contact(self, event: RawEvent) -> TrackingEvent | None:
        # resend.com/docs/webhooks: there is no email.unsubscribed; the contact is updated.
        if nested(event.data, "data", "unsubscribed") is not True:
            return None
        return TrackingEvent(
            provider="resend",
            event_id=event.event_id,
            type=EventType.UNSUBSCRIBED,
            at=webhook.parse_time(event.data.get("created_at")),
            recipient=webhook.recipient(nested(event.data, "data", "email")),
        )


def _only_recipient(to: Any) -> str | None:
    each = to if isinstance(to, list) else [to]
    return webhook.recipient(each[0]) if len(each) == 1 else None


def _bounce(kind: EventType, data: Mapping[str, Any]) -> BounceClass | None:
    if kind is EventType.REJECTED:  # it stands on Resend's own list
        suppressed = (nested(data, "suppressed", name) for name in ("type", "message"))
        text = " ".join(map(webhook.first_text, suppressed))
        return BounceClass.HARD if "bounce" in text.lower() else None
    if kind is not EventType.BOUNCED:
        return None
    label = webhook.first_text(nested(data, "bounce", "type")).lower()
    return webhook.bounce_class(
        f"{_diagnostic(data)} {webhook.first_text(nested(data, 'bounce', 'message'))}",
        BOUNCE_LABELS.get(label, BounceClass.UNDETERMINED),
    )


def _diagnostic(data: Mapping[str, Any]) -> str:
    # Text in Resend's SDK, a list in its OpenAPI.
    code = nested(data, "bounce", "diagnosticCode")
    lines = code if isinstance(code, list) else [code]
    return " ".join(filter(None, map(webhook.first_text, lines)))


def _reason(data: Mapping[str, Any]) -> str:
    return webhook.first_text(
        _diagnostic(data),
        nested(data, "bounce", "message"),
        nested(data, "suppressed", "message"),
        nested(data, "failed", "reason"),
        nested(data, "click", "link"),
    )
