"""Stripe's events as its API reference shows them, and their signature by Stripe's own library."""

import json
from typing import Any

import stripe
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SECRET = "whsec_of_these_tests"
CREATED = 1773446400  # 2026-03-14


def event(kind: str, about: Any, **changes: Any) -> dict[str, Any]:
    """One event about an object; each kind of event about each object has an id of its own."""
    return {
        "id": f"evt_{about['id']}_{kind}" if "id" not in changes else "",
        "object": "event",
        "api_version": "2025-03-31.basil",
        "created": CREATED,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    } | changes


def checkout(**changes: Any) -> dict[str, Any]:
    """A Checkout Session that was paid."""
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "amount_subtotal": 2900,
        "amount_total": 2900,
        "currency": "usd",
        "customer": "cus_1",
        "customer_details": {"email": "ann@example.com", "name": "Ann", "address": None},
        "customer_email": None,
        "invoice": None,
        "metadata": {},
        "mode": "payment",
        "payment_status": "paid",
        "status": "complete",
    } | changes


def invoice(**changes: Any) -> dict[str, Any]:
    """An invoice whose payment failed for the first time."""
    return {
        "id": "in_1",
        "object": "invoice",
        "amount_due": 2900,
        "attempt_count": 1,
        "currency": "usd",
        "customer_email": "ann@example.com",
        "hosted_invoice_url": "https://invoice.stripe.com/i/acct_1/live_1",
        "next_payment_attempt": 1773705600,  # 2026-03-17
        "status": "open",
    } | changes


def signature(payload: bytes | str, secret: str = SECRET, at: int | None = None) -> str:
    """The `Stripe-Signature` header over `payload`, made now unless `at` says when."""
    text = payload if isinstance(payload, str) else payload.decode()
    made: str = stripe.WebhookSignature.generate_signature_header(text, secret, timestamp=at)
    return made


def deliver(client: FlaskClient, body: Any, header: str | None = None) -> TestResponse:
    """Post an event, or a payload given as text or bytes, as Stripe does."""
    payload = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.post(
        "/api/webhooks/stripe",
        data=payload,
        content_type="application/json; charset=utf-8",
        headers={"Stripe-Signature": signature(payload) if header is None else header},
    )
