"""Settings of development that were not meant to come along."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from cli.doctor.checks import Check, hint, ok, problem
from config import PUBLIC_DEBUG, SETTINGS, debugs_in_public
from providers import PROVIDERS
from setting_types import LOOPBACK

SAMPLE_NAME = "Your App"
SHORTEST_KEY = 32  # characters


def check_leftovers(settings: Mapping[str, Any]) -> list[Check]:
    """What must be the user's own as soon as emails leave the machine."""
    found = {check.name: check for check in _samples(settings)} if sends(settings) else {}
    return [
        _check_debug(settings),
        _check_app_url(settings),
        _check_proxy(settings),
        *(found.get(name, ok(name)) for name in ("postal-address", "app-name", "secret-key")),
        _check_api_token(settings),
        _check_mode(settings),
    ]


def sends(settings: Mapping[str, Any]) -> bool:
    """Whether emails leave the machine."""
    return any(PROVIDERS[name].delivers for name in settings["EMAIL_PROVIDER"])


def _check_debug(settings: Mapping[str, Any]) -> Check:
    if debugs_in_public(settings):
        return hint("debug", f"FLASK_DEBUG=1 and APP_URL is {settings['APP_URL']}", PUBLIC_DEBUG)
    return ok("debug", "on" if settings["DEBUG"] else "off")


def _check_app_url(settings: Mapping[str, Any]) -> Check:
    url: str = settings["APP_URL"]
    local = urlsplit(url).hostname in LOOPBACK
    if not local and url.startswith("http://"):
        return problem(
            "app-url",
            f"APP_URL is {url}: passwords, cookies and reset links travel in the clear, and "
            "production does not start with it",
            "set APP_URL to an address that starts with https://",
        )
    if local and sends(settings):
        return hint(
            "app-url",
            f"APP_URL is {url}: links in emails lead to the reader's own machine, and no provider "
            "can reach the webhooks",
            "set APP_URL to the public address before anybody else gets an email",
        )
    return ok("app-url", url)


def _check_proxy(settings: Mapping[str, Any]) -> Check:
    if settings["TRUSTED_PROXIES"] or settings["DEBUG"]:
        return ok("proxy")
    return hint(
        "proxy",
        "TRUSTED_PROXIES is 0: if visitors reach gunicorn itself, 20 that send slowly hold up all",
        "put nginx before it, with deploy/nginx.conf, and set TRUSTED_PROXIES=1",
    )


def _samples(settings: Mapping[str, Any]) -> Iterator[Check]:
    defaults = {setting.name: setting.default for setting in SETTINGS}
    if settings["POSTAL_ADDRESS"] == defaults["POSTAL_ADDRESS"]:
        yield problem(
            "postal-address",
            "POSTAL_ADDRESS is the sample, and stands below every email",
            "set POSTAL_ADDRESS to the address of whoever sends; marketing must show a true one",
        )
    if settings["APP_NAME"] == SAMPLE_NAME:
        words = f"emails speak as {SAMPLE_NAME!r}"
        yield hint("app-name", words, "set APP_NAME to the product's name")
    if len(settings["SECRET_KEY"]) < SHORTEST_KEY:
        yield hint(
            "secret-key",
            f"SECRET_KEY has fewer than {SHORTEST_KEY} characters; sessions, reset links and "
            "unsubscribe links hang on it",
            "make one: python -c 'import secrets; print(secrets.token_hex(32))'",
        )


def _check_mode(settings: Mapping[str, Any]) -> Check:
    mode: str = settings["EMAIL_DELIVERY"]
    if mode == "sync" and sends(settings):
        return hint(
            "delivery",
            "EMAIL_DELIVERY is sync: a sign-up or reset waits for the provider, and for how long "
            "tells a stranger who has an account",
            "set EMAIL_DELIVERY=thread or celery; sync is for tests and scripts",
        )
    return ok("delivery", mode)


def _check_api_token(settings: Mapping[str, Any]) -> Check:
    if settings["API_TOKEN"]:
        return ok("api-token")
    state = "open to everybody" if settings["DEBUG"] else "closed (503)"
    return hint(
        "api-token",
        f"API_TOKEN is not set, so /api/send and /api/emails are {state}",
        "set API_TOKEN if other programs send through this app",
    )
