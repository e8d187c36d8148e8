"""Stripe's webhook: receipts and failed payments. Facts from docs.stripe.com/webhooks.

Events come in any order, and again.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import current_app, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

import emails
import outbox
import subscribers
import webhooks
from background import send_in_background
from blueprints.errors import ApiError
from blueprints.webhooks import blueprint
from database import db, take_turns
from extensions import limiter
from outbox import OutboxEmail, State
from providers import RawEvent, UnusableEvent, verify_stripe_signature

logger = logging.getLogger(__name__)

PAID = "invoice.paid"  # also what was paid outside of Stripe
MOST_ATTEMPTS = 32  # to charge for one invoice; Stripe's own schedules end after 8


@blueprint.post("/api/webhooks/stripe")
@limiter.exempt
def stripe_webhook() -> ResponseReturnValue:
    """Verify the raw bytes, hand the event over, answer."""
    secrets: tuple[str, ...] = current_app.config["STRIPE_WEBHOOK_SECRET"]
    if not secrets:
        raise ApiError(503, "STRIPE_WEBHOOK_SECRET is not set")
    payload = request.get_data()
    signature = request.headers.get("Stripe-Signature", "")
    if not any(verify_stripe_signature(payload, signature, secret) for secret in secrets):
        logger.warning("webhook_signature_invalid source=stripe")
        raise ApiError(400, "Invalid signature")
    webhooks.receive("stripe", [_event(payload)], _effect, _about)
    return jsonify(received=True)


def _event(payload: bytes) -> RawEvent:
    try:
        event = json.loads(payload.decode())
        if isinstance(event, dict) and _is_name(event.get("id")) and _is_name(event.get("type")):
            return RawEvent(event_id=event["id"], type=event["type"], data=event)
    except (ValueError, RecursionError):  # what could just be read may not be written
        pass
    logger.warning("webhook_payload_invalid source=stripe")
    raise ApiError(400, "Invalid payload")


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[\w.:-]{1,255}", value, re.ASCII))


def _send_receipt(event: Mapping[str, Any]) -> None:
    checkout = _object(event)
    if checkout.get("payment_status") != "paid":
        return  # bank debits: `async_payment_succeeded` follows when the money is there
    # What the customer typed; `customer_email` is only what we prefilled.
    typed = _text(checkout, "customer_details", "email")
    customer = typed or _required(checkout, "customer_email")
    send_in_background(
        emails.receipt(
            to=customer,
            amount=_amount(checkout, "amount_total"),
            currency=_required(checkout, "currency"),
            plan=_text(checkout, "metadata", "plan") or "Pro",
            invoice_url=_https(checkout, "invoice_url"),
            date=_time(event, "created"),
            intent_key=f"receipt:{_required(checkout, 'id')}",
        )
    )
    with subscribers.if_supported:
        subscribers.add_tag(customer, "customer")


def _send_payment_failed(event: Mapping[str, Any]) -> None:
    invoice = _object(event)
    invoice_id = _invoice_id(invoice)
    _take_turns(invoice_id)
    if webhooks.was_applied(db.session(), "stripe", PAID, invoice_id):
        return
    send_in_background(
        emails.payment_failed(
            to=_required(invoice, "customer_email"),
            amount=_amount(invoice, "amount_due"),
            currency=_required(invoice, "currency"),
            billing_url=_https(invoice, "hosted_invoice_url"),
            next_attempt=_time(invoice, "next_payment_attempt"),
            intent_key=_failed_key(invoice_id, invoice.get("attempt_count")),
        )
    )


def _cancel_payment_failed(event: Mapping[str, Any]) -> None:
    """What waits to say that the payment failed would be wrong by now."""
    invoice_id = _invoice_id(_object(event))
    _take_turns(invoice_id)
    keys = [_failed_key(invoice_id, attempt) for attempt in (None, *range(MOST_ATTEMPTS))]
    waiting = select(OutboxEmail.id).where(
        OutboxEmail.intent_key.in_(keys), OutboxEmail.state == State.QUEUED
    )
    for email_id in db.session.scalars(waiting.order_by(OutboxEmail.id)).all():
        outbox.actions.cancel(db.session(), email_id, by="because the invoice was paid")


def _invoice_id(invoice: Mapping[str, Any]) -> str:
    invoice_id = _required(invoice, "id")
    if not _is_name(invoice_id):
        raise UnusableEvent("id is not one of Stripe's")
    return invoice_id


def _take_turns(invoice_id: str) -> None:
    """Two events about one invoice at once must not both miss what the other does."""
    take_turns(db.session(), f"invoice:{invoice_id}")


def _failed_key(invoice_id: str, attempt: Any) -> str:
    return f"payment-failed:{invoice_id}:{attempt}"


HANDLERS: dict[str, Callable[[Mapping[str, Any]], None]] = {
    "checkout.session.completed": _send_receipt,
    "checkout.session.async_payment_succeeded": _send_receipt,
    "invoice.payment_failed": _send_payment_failed,
    PAID: _cancel_payment_failed,
}


def _effect(event: RawEvent) -> webhooks.Effect | None:
    handler = HANDLERS.get(event.type)
    return partial(handler, event.data) if handler else None


def _about(event: RawEvent) -> str | None:
    invoice_id = _text(event.data, "data", "object", "id") if event.type == PAID else None
    return invoice_id if _is_name(invoice_id) else None


def _object(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    found = data.get("object") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise UnusableEvent("data.object is missing")
    return found


def _text(holder: Mapping[str, Any], *path: str) -> str | None:
    value: Any = holder
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None


def _required(holder: Mapping[str, Any], name: str) -> str:
    value = _text(holder, name)
    if value is None:
        raise UnusableEvent(f"{name} is missing")
    return value


def _amount(holder: Mapping[str, Any], name: str) -> int:
    value = holder.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 10**15:
        raise UnusableEvent(f"{name} is not an amount")
    return value


def _https(holder: Mapping[str, Any], name: str) -> str | None:
    value = _text(holder, name)
    return value if value and value.startswith("https://") else None


def _time(holder: Mapping[str, Any], name: str) -> datetime | None:
    value = holder.get(name)
    if not isinstance(value, int) or not 0 < value < 253_402_300_800:  # the year 10000
        return None
    return datetime.fromtimestamp(value, UTC)
