"""From a name and data to a message, and how an email becomes known."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest

import emails
from emails.compose import compose, email
from errors import InvalidMessage
from message import Address
from tests.processes import ROOT


def test_message_fields_reach_the_message(email_app):
    moment = datetime(2026, 3, 14, 12, tzinfo=UTC)

    message = compose(
        "welcome",
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

    assert len(compose("welcome", **fields).recipients) == 2
    with pytest.raises(ValueError, match="onboarding-day-3 is marketing and goes to 2 addresses"):
        compose("onboarding-day-3", category="marketing", **fields)


def test_a_long_subject_is_cut_with_an_ellipsis(email_app):
    message = compose("welcome", to="ann@example.com", subject="x" * 61, name="Ann")

    assert message.subject == "x" * 59 + "…"


def test_a_line_break_in_a_subject_is_refused(email_app):
    with pytest.raises(InvalidMessage) as caught:
        compose("welcome", to="ann@example.com", subject="Hi\nBcc: eve@example.com", name="Ann")

    assert caught.value.field == "subject"


def test_two_emails_cannot_share_a_name():
    with pytest.raises(ValueError, match="'welcome'"):
        email("welcome", samples={})(emails.password_reset)


def test_a_module_in_the_package_is_found_without_being_listed(tmp_path):
    shutil.copytree(ROOT / "emails", tmp_path / "emails")
    (tmp_path / "emails" / "found_by_looking.py").write_text(
        "from emails.compose import compose, email\n"
        "@email('found-by-looking', samples={'normal': {'to': 'ann@example.com'}})\n"
        "def found_by_looking(*, to):\n"
        "    return compose('found-by-looking', to=to, subject='Three days')\n"
    )

    listed = subprocess.run(
        [sys.executable, "-c", "from emails.compose import all_emails; print(*all_emails())"],
        cwd=tmp_path,  # its `emails` comes first, all other rooms are found here
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "found-by-looking" in listed.stdout.split()
    assert "welcome" in listed.stdout.split()
