"""SendGrid's event webhook (docs.sendgrid.com, Event Webhook Reference): signed lists of events."""

import hashlib
import json
from collections.abc import Mapping
from math import inf
from typing import Any

from providers import webhook
from providers.events import BounceClass, EventType, TrackingEvent
from providers.signatures import is_sendgrid_key, verify_sendgrid_signature
from providers.webhook import Headers, RawEvent, UnusableEvent, Webhook

EVENT_TYPES = {
    "processed": EventType.QUEUED,
    "delivered": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "bounce": EventType.BOUNCED,
    "dropped": EventType.REJECTED,
    "spamreport": EventType.COMPLAINED,
    "open": EventType.OPENED,
    "click": EventType.CLICKED,
    "unsubscribe": EventType.UNSUBSCRIBED,
    "group_unsubscribe": EventType.UNSUBSCRIBED,
}
# Event Webhook Reference: `blocked` is temporary, and SendGrid does not suppress the address.
BOUNCE_LABELS = {"bounce": BounceClass.HARD, "blocked": BounceClass.SOFT}


class SendGridWebhook(Webhook):
    """Our id comes back beside SendGrid's own fields. Every event names its one recipient."""

    setting = "SENDGRID_WEBHOOK_PUBLIC_KEY"
    age_setting = "SENDGRID_WEBHOOK_MAX_AGE"
    simulator_key = (  # the public half of the simulator's key
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVNnvVkCykwx8gjndMFBI7hYdtUHFilONUkSTPS8W"
        "jS8E5EjMqS2BX+kC38DiK3EEPBiGeyuLBBcPYJl9K7OQXQ=="
    )

    def verify(self, payload: bytes, headers: Headers, secret: str, max_age: float = inf) -> bool:
        return verify_sendgrid_signature(
            payload,
            headers.get("x-twilio-email-event-webhook-timestamp", ""),
            headers.get("x-twilio-email-event-webhook-signature", ""),
            secret,
            max_age,
        )

    def split(self, payload: bytes, headers: Headers) -> list[RawEvent]:
        events = webhook.json_value(payload)
        if not isinstance(events, list):
            raise UnusableEvent("the body is no list of events")
        return [_raw_event(event) for event in events]

    def parse(self, event: RawEvent) -> TrackingEvent | None:
        kind = EVENT_TYPES.get(event.type)
        if kind is None and event.type:
            return None
        data = event.data
        recipient = webhook.recipient(data.get("email"))
        if kind is None or recipient is None:
            raise UnusableEvent("event or email is missing")
        return TrackingEvent(
            provider="sendgrid",
            event_id=event.event_id,
            type=kind,
            at=webhook.parse_time(data.get("timestamp")),
            provider_message_id=_message_id(data),
            # Event Webhook Reference: custom_args stand beside SendGrid's own fields.
            email_id=webhook.our_id(data.get("email_id")),
            recipient=recipient,
            bounce=_bounce(kind, data),
            reason=_reason(data),
        )

    def secret_error(self, secret: str) -> str | None:
        return None if is_sendgrid_key(secret) else "it is not the base64 of a P-256 public key"


def _raw_event(event: Any) -> RawEvent:
    # What is no object is kept as well, to be rejected alone: the others must not suffer for it.
    data = event if isinstance(event, dict) else {"malformed": event}
    return RawEvent(
        event_id=hashlib.sha256(json.dumps(_fingerprint(data)).encode()).hexdigest(),
        type=webhook.first_text(data.get("event")),
        data=data,
    )


def _fingerprint(data: Mapping[str, Any]) -> Any:
    # What a redelivery repeats. `sg_event_id` is not part of it: it was seen to change.
    message = data.get("email_id") or _message_id(data) or data.get("smtp-id")
    same = [message, *(data.get(name) for name in ("email", "event", "timestamp", "url"))]
    return same if any(same) else data


def _message_id(data: Mapping[str, Any]) -> str | None:
    # Event Webhook Reference: it begins with the X-Message-Id of the answer, up to the first dot;
    # asynchronous bounces lack it.
    whole = data.get("sg_message_id")
    return webhook.message_id(whole.partition(".")[0]) if isinstance(whole, str) else None


def _bounce(kind: EventType, data: Mapping[str, Any]) -> BounceClass | None:
    # Event Webhook Reference: the reason of a drop is "Bounced Address", "Spam Content", and so on.
    if kind is EventType.REJECTED:
        return BounceClass.HARD if "bounced" in _reason(data).lower() else None
    if kind is not EventType.BOUNCED:
        return None
    label = BOUNCE_LABELS.get(webhook.first_text(data.get("type")), BounceClass.UNDETERMINED)
    return webhook.bounce_class(f"{webhook.first_text(data.get('status'))} {_reason(data)}", label)


def _reason(data: Mapping[str, Any]) -> str:
    return webhook.first_text(data.get("reason"), data.get("response"), data.get("url"))
