"""The providers' webhooks: verify the raw bytes, hand the events over, answer."""

import logging
from math import inf

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

import webhooks
from blueprints.errors import ApiError
from blueprints.security import take_bodies
from extensions import csrf, limiter
from providers import PROVIDERS, Headers, RawEvent, UnusableEvent, Webhook

blueprint = Blueprint("webhooks", __name__)
csrf.exempt(blueprint)  # signatures say who posts
take_bodies(blueprint, 1024 * 1024)  # bytes; SendGrid posts many events at once
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
    events = _split(provider, webhook, payload, headers)
    return jsonify(received=len(webhooks.receive(provider, events, webhook.parse)))


def _verify(provider: str, webhook: Webhook, payload: bytes, headers: Headers) -> None:
    secrets: tuple[str, ...] = current_app.config[webhook.setting]
    if not secrets:
        raise ApiError(503, f"{webhook.setting} is not set")
    max_age = current_app.config[webhook.age_setting] if webhook.age_setting else None
    if not any(webhook.verify(payload, headers, each, max_age or inf) for each in secrets):
        logger.warning(
            "webhook_signature_invalid source=%s: if this is the provider, %s is not its secret",
            provider,
            webhook.setting,
        )
        raise ApiError(400, "Invalid signature")


def _split(provider: str, webhook: Webhook, payload: bytes, headers: Headers) -> list[RawEvent]:
    try:
        return webhook.split(payload, headers)
    except (UnusableEvent, RecursionError) as error:  # what could just be read may not be written
        logger.warning("webhook_payload_invalid source=%s: %s", provider, error)
        raise ApiError(400, "Invalid payload") from None
