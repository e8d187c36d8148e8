"""From a name and data to a message, and how an email becomes known."""

from datetime import UTC, datetime

import pytest

import emails
from emails.compose import compose, email
from errors import InvalidMessage
from message import Address


def test_message_fields_reach_the_message(email_app):
    moment = datetime(2026, 3, 14, 12, tzinfo=UTC)

    message = compose(
        "account-exists",
        to="Ann <ann@example.com>",
        subject="Hello",
        name="Ann",
        reply_to="help@example.com",
        expires_at=moment,
        intent_key="welcome:1",
        if_unknown="resend",
        sensitive=True,
    )

    assert message.to == (Address("ann@example.com", "Ann"),)
    assert message.reply_to == (Address("help@example.com"),)
    assert message.expires_at == moment
    assert message.intent_key == "welcome:1"
    assert message.if_unknown == "resend"
    assert message.sensitive


def test_templates_know_the_bare_address_of_the_reader(email_app):
    message = compose(
        "onboarding-day-3",
        to="Ann <ann@example.com>",
        subject="Hello",
        name="Ann",
        category="marketing",
        unsubscribe_url=lambda address: f"https://app.example.com/out/{address}",
    )

    assert message.category == "marketing"
    assert 'href="https://app.example.com/out/ann@example.com"' in message.html
    assert "\nhttps://app.example.com/out/ann@example.com\n" in message.text


@pytest.mark.parametrize("more", [{}, {"cc": "eve@example.com"}, {"bcc": "eve@example.com"}])
def test_marketing_goes_to_one_address_whose_way_out_it_carries(email_app, more):
    to = "ann@example.com" if more else ["ann@example.com", "bob@example.com"]
    fields = {"to": to, "subject": "Hello", "name": "Ann", **more}

    assert len(compose("account-exists", **fields).recipients) == 2
    with pytest.raises(ValueError, match="onboarding-day-3 is marketing and goes to 2 addresses"):
        compose("onboarding-day-3", category="marketing", **fields)


def test_a_long_subject_is_cut_with_an_ellipsis(email_app):
    message = compose("account-exists", to="ann@example.com", subject="x" * 61, name="Ann")

    assert message.subject == "x" * 59 + "…"


def test_a_line_break_in_a_subject_is_refused(email_app):
    with pytest.raises(InvalidMessage) as caught:
        compose(
            "account-exists", to="ann@example.com", subject="Hi\nBcc: eve@example.com", name="Ann"
        )

    assert caught.value.field == "subject"


def test_two_emails_cannot_share_a_name():
    with pytest.raises(ValueError, match="'welcome'"):
        email("welcome", samples={})(emails.password_reset)
