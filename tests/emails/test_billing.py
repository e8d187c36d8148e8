"""The emails about money."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

import emails

PAID: dict[str, Any] = {"to": "ann@example.com", "amount": 2900, "currency": "usd", "plan": "Pro"}


def test_a_receipt_always_shows_total_plan_and_date(email_app):
    message = emails.receipt(**PAID, date=date(2026, 3, 14))

    assert message.subject == "Receipt for $29.00 from Acme"
    for body in (message.html, message.text):
        assert "$29.00" in body
        assert "Pro" in body
        assert "March 14, 2026" in body


def test_a_receipt_without_a_date_is_of_today(email_app):
    before = datetime.now(UTC)
    text = emails.receipt(**PAID).text
    after = datetime.now(UTC)

    assert any(f"{day:%B} {day.day}, {day.year}\n" in text for day in (before, after))


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"number": "R-17"}, ["Receipt number", "R-17"]),
        ({"card": "Visa ending in 4242"}, ["Paid with", "Visa ending in 4242"]),
        ({"tax": 0}, ["Tax", "$0.00"]),
        ({"line_items": [("2 seats", 1250)]}, ["2 seats", "$12.50"]),
    ],
)
def test_a_receipt_shows_an_optional_part_only_when_it_is_given(email_app, part, words):
    without, complete = emails.receipt(**PAID), emails.receipt(**PAID, **part)

    for word in words:
        assert word in complete.html
        assert word in complete.text
        assert word not in without.html
        assert word not in without.text


def test_the_amounts_of_a_text_receipt_stand_in_one_column(email_app):
    text = emails.receipt(**PAID, tax=500, line_items=[("A seat", 2400)]).text

    lines = [line for line in text.splitlines() if line.startswith(("A seat", "Tax", "Total"))]
    assert [line.split("  ")[-1].strip() for line in lines] == ["$24.00", "$5.00", "$29.00"]
    assert {len(line) for line in lines} == {60}


def test_a_receipt_leads_to_its_invoice_or_else_to_billing(email_app):
    invoice = emails.receipt(**PAID, invoice_url="https://invoice.example.com/1").text
    billing = emails.receipt(**PAID).text

    assert "View invoice:\nhttps://invoice.example.com/1" in invoice
    assert "Manage billing" not in invoice
    assert "Manage billing:\nhttps://app.example.com/billing" in billing


def test_a_receipt_of_yen_has_no_decimals(email_app):
    message = emails.receipt(**PAID | {"amount": 1000, "currency": "jpy"})

    assert message.subject == "Receipt for ¥1,000 from Acme"
    assert "¥1,000" in message.html


def test_the_intent_key_reaches_the_message(email_app):
    assert emails.receipt(**PAID, intent_key="receipt:cs_1").intent_key == "receipt:cs_1"
    failed = emails.payment_failed(to="ann@example.com", intent_key="payment-failed:in_1")
    assert failed.intent_key == "payment-failed:in_1"


def test_a_failed_payment_names_amount_and_next_attempt_in_utc(email_app):
    early = datetime(2026, 3, 18, 9, tzinfo=timezone(timedelta(hours=14)))

    message = emails.payment_failed(
        to="ann@example.com", amount=2900, currency="usd", next_attempt=early
    )

    assert "could not collect $29.00" in message.text
    assert "try again on March 17, 2026" in message.text


def test_a_failed_payment_without_details_still_says_what_to_do(email_app):
    message = emails.payment_failed(to="ann@example.com")

    assert "could not collect the latest payment" in message.text
    assert "try again" not in message.text
    assert "Update payment method:\nhttps://app.example.com/billing" in message.text


def test_a_failed_payment_leads_to_the_billing_page_it_is_given(email_app):
    message = emails.payment_failed(to="ann@example.com", billing_url="https://pay.example.com/fix")

    assert "https://pay.example.com/fix" in message.text
    assert "https://app.example.com/billing" not in message.html
