"""Providers by name. Adding one is a mapping file beside these, and its line here."""

from collections.abc import Mapping
from typing import Any

from providers.base import Provider
from providers.http import HttpProvider
from providers.inbox import Inbox
from providers.resend import Resend
from providers.sendgrid import SendGrid
from providers.sequenzy import Sequenzy

HTTP_PROVIDERS: dict[str, type[HttpProvider]] = {
    provider.name: provider for provider in (Sequenzy, Resend, SendGrid)
}


def make_provider(name: str, settings: Mapping[str, Any]) -> Provider:
    """The provider `name` with its key and base URL from `settings`."""
    if name == Inbox.name:
        return Inbox()
    return HTTP_PROVIDERS[name](
        settings[f"{name.upper()}_API_KEY"],
        settings[f"{name.upper()}_BASE_URL"],
        timeout=settings["EMAIL_TIMEOUT"],
        threads=settings["EMAIL_THREADS"],
    )
