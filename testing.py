"""What your own tests use: no network, and every email your code sends in a list.

In your conftest.py: `from testing import outbox_emails  # noqa: F401`. The fixture is the list;
`scheduled_emails` is the one of those that wait for their time.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

import background
from email_service import EmailService
from extensions import email
from message import EmailMessage
from outbox import running
from providers import Receipt, WireRequest

TEST_SETTINGS: dict[str, Any] = {
    "TESTING": True,
    "EMAIL_PROVIDER": "inbox",
    "EMAIL_DELIVERY": "sync",
    "RATELIMIT_ENABLED": False,
    "WTF_CSRF_ENABLED": False,
}
"""Settings for `create_app` in tests; add a `DATABASE_URL` of your own."""


@pytest.fixture
def outbox_emails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[EmailMessage]]:
    """The emails sent in this test, oldest first. None of them leaves the process.

    Emails sent in the background appear after the commit, as their delivery would start then;
    those for later are in `scheduled_emails`.
    """

    def send(
        service: EmailService,
        message: EmailMessage,
        provider: str | None = None,
        key: str | None = None,
    ) -> Receipt:
        captured.append(service.complete(message))
        return Receipt(provider="test", message_id=key or message.id, status=200)

    def post(_self: EmailService, name: str, _request: WireRequest) -> Receipt:
        return Receipt(provider=name, message_id="test", status=200)

    monkeypatch.setattr(running, "wake", lambda _ids: None)
    monkeypatch.setattr(EmailService, "send", send)
    monkeypatch.setattr(EmailService, "post", post)  # for a test that calls `outbox.deliver`
    with _queued(for_later=False) as captured:
        yield captured


@pytest.fixture
def scheduled_emails(outbox_emails: list[EmailMessage]) -> Iterator[list[EmailMessage]]:
    """The emails of this test that wait for their `send_at`, oldest first."""
    with _queued(for_later=True) as captured:
        yield captured


@contextmanager
def _queued(*, for_later: bool) -> Iterator[list[EmailMessage]]:
    captured: list[EmailMessage] = []

    def queued(_app: Any, messages: Sequence[EmailMessage]) -> None:
        chosen = [each for each in messages if _is_for_later(each) is for_later]
        captured.extend(email.complete(each) for each in chosen)

    with background.emails_queued.connected_to(queued):
        yield captured


def _is_for_later(message: EmailMessage) -> bool:
    return message.send_at is not None and message.send_at > datetime.now(UTC)


def assert_email_sent(
    sent: Sequence[EmailMessage],
    *,
    to: str | None = None,
    subject: str | None = None,
    contains: str | None = None,
) -> EmailMessage:
    """The one email in `sent` that matches; fails, listing what was sent, if it is not just one.

    `to` is a whole address; `subject` is a part of the subject. `contains` is a part of the text
    and of the HTML alike, where there are both, as it is read: line breaks and entities (`&amp;`)
    make no difference.
    """
    found = [each for each in sent if _matches(each, to, subject, contains)]
    if len(found) != 1:
        listed = "\n".join(f"  to {each.to[0].email}: {each.subject}" for each in sent)
        wanted = f"to={to!r} subject={subject!r} contains={contains!r}"
        pytest.fail(f"{len(found)} emails match {wanted}; sent were:\n{listed or '  none'}")
    return found[0]


def sign_up(
    client: FlaskClient,
    sent: Sequence[EmailMessage],
    *,
    email: str = "ann@example.com",
    name: str = "Ann",
    password: str = "correct horse battery",  # noqa: S107  of a test's account
) -> None:
    """Open an account as a visitor does, the emailed link included; `client` is logged in then.

    `sent` is `outbox_emails`, in which the welcome stays.
    """
    form = {"name": name, "email": email, "password": password}
    client.post("/signup", data=form, follow_redirects=True)
    link = re.search(r"/confirm/\S+", sent[-1].text)
    if link is None:
        pytest.fail(f"no link to confirm {email} was sent")
    client.post(link[0], follow_redirects=True)


def assert_no_email_sent(sent: Sequence[EmailMessage], *, to: str | None = None) -> None:
    """Fails if any email was sent, or any to the address `to`."""
    found = [each.subject for each in sent if _matches(each, to, None, None)]
    if found:
        pytest.fail(f"no email was expected, but these were sent: {found}")


def _matches(
    message: EmailMessage, to: str | None, subject: str | None, contains: str | None
) -> bool:
    bodies = [message.text, unescape(message.html)] if message.html else [message.text]
    return (
        (to is None or to.lower() in {address.email.lower() for address in message.recipients})
        and (subject or "") in message.subject
        and all(_one_line(contains or "") in _one_line(body) for body in bodies)
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
