"""Messages and providers that the tests of this folder share."""

from collections.abc import Callable
from typing import Any

import pytest

from errors import EmailSendError
from message import Attachment, EmailMessage
from providers import PROVIDERS
from providers.base import Answer, Provider, Receipt, WireRequest
from providers.http import HttpProvider
from providers.subscribers import Call

MakeProvider = Callable[..., HttpProvider]

ID = "0199c0de-0000-7000-8000-000000000001"
KEY = "seq_re_SG.secret-key"
SECRET_BODY = "<p>Nobody may read this in a log</p>"
PATHS = {"sequenzy": "/api/v1", "resend": "", "sendgrid": ""}  # below the simulator's address


def new_provider(name: str, url: str, **options: Any) -> HttpProvider:
    """The provider `name` with its API at `url`."""
    provider = PROVIDERS[name]
    assert issubclass(provider, HttpProvider)
    return provider(**{"api_key": KEY, "base_url": url, "timeout": 10, **options})


def resend(url: str, **options: Any) -> HttpProvider:
    """Resend with its API at `url`."""
    return new_provider("resend", url, **options)


def send(provider: Provider, message: EmailMessage, key: str) -> Receipt:
    """One call with `message`."""
    return provider.post(provider.build(message, key))


def failure(provider: Provider) -> EmailSendError:
    """The error of one call with a plain message."""
    with pytest.raises(EmailSendError) as raised:
        send(provider, plain(), ID)
    return raised.value


def through(provider: HttpProvider, around: Callable[[Call, WireRequest], Answer]) -> HttpProvider:
    """`provider`, whose calls about subscribers pass `around`; it remembers no names."""
    call = provider.call
    assert provider.subscribers
    provider._subscribers = provider.subscribers(
        provider.name, lambda request: around(call, request)
    )
    return provider


def plain(to: str | list[str] = "ann@example.com", **fields: Any) -> EmailMessage:
    """The smallest message that can be sent."""
    given = {"from_email": "Acme <a@acme.co>", "subject": "Hello", "html": SECRET_BODY, **fields}
    return EmailMessage(id=ID, to=to, **given)


def full() -> EmailMessage:
    """A message with every field that all three vendors can carry."""
    return EmailMessage(
        id=ID,
        to=["Ann Müller <ann@example.com>", "ben@example.com"],
        cc='"Doe, Cy" <cy@example.com>',
        bcc="dee@example.com",
        from_email='"Acme, Inc." <a@acme.co>',
        reply_to="Jörg at help <help@acme.co>",
        subject="Grüße für {{name}}: 你好",
        html='<p>Grüße, {{name}} &amp; 🎉</p><img src="cid:logo">',
        text="Grüße, {{name}} & 🎉",
        headers={"X-Ref": "r-1", "List-Unsubscribe": "<https://acme.co/u>"},
        attachments=[
            Attachment(filename="Übersicht.txt", content=b"hi", content_type="text/plain"),
            Attachment(
                filename="logo.png", content=b"\x89PNG", content_type="image/png", content_id="logo"
            ),
        ],
        tags=["welcome", "spring sale"],
        metadata={"order": "42", "plan name": "Pro: yearly"},
    )
