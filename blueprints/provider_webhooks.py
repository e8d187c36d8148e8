"""The providers' webhooks: verify the raw bytes, store each event with its effect, answer."""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial

from flask import Blueprint, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue

import tracking
import webhook_inbox
from blueprints.errors import ApiError
from events import TrackingEvent
from extensions import db, limiter
from providers import HTTP_PROVIDERS
from providers.webhook import Item, UnusableEvent, Webhook
from webhook_inbox import EventRejected, Incoming, Outcome

blueprint = Blueprint("provider_webhooks", __name__)
logger = logging.getLogger(__name__)


@blueprint.post("/api/webhooks/<provider>")
@limiter.exempt
def provider_webhook(provider: str) -> ResponseReturnValue:
    """200 once everything in the body is stored, whether new, seen before or of no meaning.

    A provider that EMAIL_PROVIDER does not name any more is heard as well: its events come late.
    """
    found = HTTP_PROVIDERS.get(provider)
    webhook = found.webhook if found else None
    if webhook is None:
        abort(404, "there is no such webhook")
    payload = request.get_data()
    headers = {name.lower(): value for name, value in request.headers.items()}
    _verify(provider, webhook, payload, headers)
    try:
        items = webhook.items(payload, headers)
    except UnusableEvent as error:
        logger.warning("webhook_payload_invalid source=%s: %s", provider, error)
        raise ApiError(400, "Invalid payload") from None
    events = [_incoming(webhook, item) for item in items]
    # In one order whoever delivers, so that two deliveries at once cannot wait for each other.
    events.sort(key=lambda each: (each.email_id or each.provider_message_id or "", each.event_id))
    outcomes = webhook_inbox.receive_all(provider, events)
    return jsonify(received=len(outcomes))


def _verify(provider: str, webhook: Webhook, payload: bytes, headers: Mapping[str, str]) -> None:
    secrets: tuple[str, ...] = current_app.config[webhook.setting]
    if not secrets:
        raise ApiError(503, f"{webhook.setting} is not set")
    max_age = current_app.config[webhook.age_setting] if webhook.age_setting else None
    if not any(webhook.is_genuine(payload, headers, each, max_age) for each in secrets):
        logger.warning(
            "webhook_signature_invalid source=%s: if this is the provider, %s is not its secret",
            provider,
            webhook.setting,
        )
        raise ApiError(400, "Invalid signature")


def _incoming(webhook: Webhook, item: Item) -> Incoming:
    payload = json.dumps(item.data)  # its escapes can be stored whatever the text holds
    event: TrackingEvent | None = None
    effect: Callable[[], Outcome] | None = None
    try:
        event = webhook.read(item)
        effect = partial(_apply, event) if event else None
    except UnusableEvent as error:
        effect = partial(_fail, EventRejected(str(error)))
    except Exception as error:  # a mistake of ours costs this event, not those beside it
        effect = partial(_fail, error)
    return Incoming(
        event_id=item.event_id,
        type=item.type,
        payload=payload,
        effect=effect,
        email_id=event.email_id if event else None,
        provider_message_id=event.provider_message_id if event else None,
    )


def _fail(error: Exception) -> Outcome:
    raise error


def _apply(event: TrackingEvent) -> Outcome:
    return Outcome.APPLIED if tracking.apply(db.session(), event) else Outcome.WAITING
