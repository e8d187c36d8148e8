"""The marketing email."""

from datetime import UTC, datetime

import emails


def test_the_third_day_greets_by_name_and_has_one_next_step(email_app):
    message = emails.onboarding_day_3(to="ann@example.com", name="Ann")

    assert message.category == "marketing"
    assert message.subject == "One thing to try in Acme this week"
    assert "Hi Ann, how is it going?</h1>" in message.html
    assert message.html.count('class="button" href="https://app.example.com/account"') == 1


def test_the_third_day_and_the_intent_key_reach_the_message(email_app):
    third_day = datetime(2026, 3, 17, 9, tzinfo=UTC)

    message = emails.onboarding_day_3(
        to="ann@example.com", name="Ann", send_at=third_day, intent_key="onboarding-day-3:42"
    )

    assert message.send_at == third_day
    assert message.intent_key == "onboarding-day-3:42"
