"""The emails about having an account."""

from datetime import UTC, datetime

import emails

CONFIRM_URL = "https://app.example.com/confirm/abc.def"
RESET_URL = "https://app.example.com/reset-password?token=abc&x=1"


def test_welcome_greets_by_name_and_leads_to_the_login(email_app):
    message = emails.welcome(to="ann@example.com", name="Ann & Bob's")

    assert message.subject == "Welcome, Ann & Bob's"
    assert "Welcome, Ann &amp; Bob&#39;s</h1>" in message.html
    assert message.text.startswith("Welcome, Ann & Bob's\n")
    assert 'href="https://app.example.com/login"' in message.html
    assert not message.sensitive


def test_welcome_after_a_sign_up_carries_the_link_that_confirms_the_address(email_app):
    moment = datetime(2026, 3, 14, 12, tzinfo=UTC)

    message = emails.welcome(
        to="ann@example.com", name="Ann", confirm_url=CONFIRM_URL, expires_at=moment
    )

    assert message.subject == "Welcome, Ann: confirm your address"
    assert f'href="{CONFIRM_URL}"' in message.html
    assert f"\n{CONFIRM_URL}\n" in message.text
    assert "works once, and for 24 hours" in message.text
    for body in (message.html, message.text):
        assert "https://app.example.com/login" not in body
    assert (message.sensitive, message.if_unknown) == (True, "resend")
    assert message.expires_at == moment


def test_password_reset_carries_its_link_and_says_how_long_it_works(email_app):
    message = emails.password_reset(to="ann@example.com", reset_url=RESET_URL)

    assert message.subject == "Reset your password at Acme"
    assert f'href="{RESET_URL.replace("&", "&amp;")}"' in message.html
    assert f"\n{RESET_URL}\n" in message.text
    assert "works once, and for 1 hour" in message.text


def test_password_reset_is_secret_expires_and_may_be_sent_again(email_app):
    moment = datetime(2026, 3, 14, 12, tzinfo=UTC)

    message = emails.password_reset(to="ann@example.com", reset_url=RESET_URL, expires_at=moment)

    assert message.sensitive
    assert message.expires_at == moment
    assert message.if_unknown == "resend"


def test_the_owner_of_an_account_is_shown_the_way_in(email_app):
    message = emails.account_exists(to="ann@example.com", name="Ann")

    assert message.subject == "You already have an account at Acme"
    assert "https://app.example.com/login" in message.text
    assert "https://app.example.com/forgot-password" in message.text
