"""The providers' webhooks: verify the raw bytes, store each event with its effect, answer."""

import logging
from collections.abc import Mapping
from functools import partial

from attrs import frozen
from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

import outbox
import tracking
import webhook_inbox
from blueprints.errors import ApiError
from extensions import db, limiter
from outbox import ReportedEmails
from providers import PROVIDERS, Item, TrackingEvent, UnusableEvent, Webhook
from webhook_inbox import EventRejected, Incoming, Outcome

blueprint = Blueprint("provider_webhooks", __name__)
logger = logging.getLogger(__name__)


WEBHOOKS = {name: each.webhook for name, each in PROVIDERS.items() if each.webhook}


@blueprint.post(f"/api/webhooks/<any({', '.join(WEBHOOKS)}):provider>")
@limiter.exempt
def provider_webhook(provider: str) -> ResponseReturnValue:
    """200 once everything in the body is stored, whether new, seen before or of no meaning.

    A provider that EMAIL_PROVIDER does not name any more is heard as well: its events come late.
    """
    webhook = WEBHOOKS[provider]
    payload = request.get_data()
    headers = {name.lower(): value for name, value in request.headers.items()}
    _verify(provider, webhook, payload, headers)
    told = [_read(webhook, item) for item in _items(provider, webhook, payload, headers)]
    # In one order whoever delivers, so that two deliveries at once cannot wait for each other.
    told.sort(key=lambda each: (each.recipient, each.item.event_id))
    emails = outbox.lock_reported(
        db.session(), provider, [each.event for each in told if each.event]
    )
    outcomes = webhook_inbox.receive_all(provider, [_incoming(each, emails) for each in told])
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


def _items(
    provider: str, webhook: Webhook, payload: bytes, headers: Mapping[str, str]
) -> list[Item]:
    try:
        return webhook.items(payload, headers)
    except (UnusableEvent, RecursionError) as error:  # what could just be read may not be written
        logger.warning("webhook_payload_invalid source=%s: %s", provider, error)
        raise ApiError(400, "Invalid payload") from None


@frozen
class _Told:
    """An item, and what it means to us: an event, nothing, or why it could not be read."""

    item: Item
    event: TrackingEvent | None = None
    error: Exception | None = None

    @property
    def recipient(self) -> str:
        return (self.event and self.event.recipient) or ""


def _read(webhook: Webhook, item: Item) -> _Told:
    try:
        return _Told(item, event=webhook.read(item))
    except UnusableEvent as error:
        return _Told(item, error=EventRejected(str(error)))
    except Exception as error:  # a mistake of ours costs this event, not those beside it
        return _Told(item, error=error)


def _incoming(told: _Told, emails: ReportedEmails) -> Incoming:
    event = told.event
    return Incoming(
        event_id=told.item.event_id,
        type=told.item.type,
        payload=told.item.payload,
        effect=partial(_apply, told, emails) if event or told.error else None,
        email_id=event.email_id if event else None,
        provider_message_id=event.provider_message_id if event else None,
    )


def _apply(told: _Told, emails: ReportedEmails) -> Outcome:
    if told.error:
        raise told.error
    assert told.event  # noqa: S101  for the type checker
    known = tracking.apply(db.session(), told.event, emails)
    return Outcome.APPLIED if known else Outcome.WAITING
