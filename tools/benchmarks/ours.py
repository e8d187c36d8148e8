"""The app as the benchmarks run it: in production mode, on settings of their own."""

from collections.abc import Callable
from functools import partial
from typing import Any

import config
from app import create_app
from extensions import email
from message import EmailMessage, new_id
from tools.benchmarks.sample import HTML, RECIPIENT, SUBJECT, TEXT
from tools.processes import PRODUCTION

TOKEN = "token-of-the-benchmarks"
UNSET = {setting.name: "" for setting in config.SETTINGS if setting.name != "PORT"}


def settings(database_url: str, provider_url: str, **more: str) -> dict[str, str]:
    """The environment of our processes: no limits, no pace, no batches unless `more` says so."""
    own = {
        "FLASK_DEBUG": "0",
        "RESEND_BASE_URL": provider_url,
        "RESEND_RATE": "off",
        "EMAIL_BATCH": "false",
        "DATABASE_URL": database_url,
        "API_TOKEN": TOKEN,
        "RATELIMIT_ENABLED": "false",
    }
    return UNSET | PRODUCTION | own | more  # unset, because a developer's .env must not decide


def message(recipient: str = RECIPIENT, **fields: Any) -> EmailMessage:
    """The email that everybody sends; `fields` are more of its own."""
    return EmailMessage(to=recipient, subject=SUBJECT, html=HTML, text=TEXT, **fields)


def by_email_send(url: str) -> Callable[[], object]:
    """`email.send`, from the message to the receipt. Pushes an app context for good."""
    _push(url)
    return lambda: email.send(message())


def by_provider_post(url: str) -> Callable[[], object]:
    """The call alone, with a request that is built."""
    _push(url)
    provider = email.provider("resend")
    request = provider.build(email.complete(message()), new_id())
    return partial(provider.post, request)


def _push(url: str) -> None:
    create_app(settings("sqlite:///:memory:", url)).app_context().push()


SENDERS = {"ours: email.send": by_email_send, "ours: the call alone": by_provider_post}
