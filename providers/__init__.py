"""Providers by name, found by looking: a new one is one file beside these."""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from providers.base import Provider
from providers.http import HttpProvider
from providers.inbox import Inbox

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

HTTP_PROVIDERS: dict[str, type[HttpProvider]] = {
    provider.name: provider
    for provider in sorted(HttpProvider.__subclasses__(), key=lambda each: each.name)
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
