"""The environment, read once and checked; only `gunicorn.conf.py` looks at it as well.

`.env.example` is the manual of these settings, and a test holds the two together.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

from errors import ConfigurationError, EmailSendError
from message import Address
from providers import PROVIDERS
from setting_types import (
    LOOPBACK,
    Setting,
    any_text,
    boolean,
    comma_list,
    database_url,
    header_value,
    number,
    one_of,
    rate,
    redis_url,
    secure_url,
    url,
)

DEVELOPMENT_SECRET_KEY = "development-only-secret-key"  # noqa: S105  refused in production
PUBLIC_DEBUG = (
    "whoever reaches it knows the SECRET_KEY of development, and may send without an API_TOKEN; "
    "set FLASK_DEBUG=0, or both of these while a tunnel lets webhooks in"
)
DEBUG_NAMES = ("FLASK_DEBUG", "FLASK_DEBUG_FILE")
MAX_BODY = 64 * 1024  # bytes; deploy/nginx.conf says the same
# Seconds that one request may lose to a store of rate limits that is down or silent.
REDIS_TIMEOUTS = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25, "retry": None}


def address(value: str) -> Address:
    """The sender or contact that `value` names. Raises `ValueError`."""
    try:
        return Address.parse(value)
    except EmailSendError as error:
        raise ValueError(f"must be like 'Your App <hello@yourdomain.com>': {error}") from None


def recipients(value: str) -> tuple[str, ...]:
    """The addresses and domains that `value` names, in lower case. Raises `ValueError`."""
    if not (names := comma_list(value)):
        raise ValueError("names nobody; remove it if emails may go to everybody")
    try:
        return tuple(_recipient(each).lower() for each in names)
    except EmailSendError as error:
        raise ValueError(f"must be like 'acme.com, ann@example.com': {error}") from None


def _recipient(value: str) -> str:
    return Address.parse(value).email if "@" in value else Address.parse(f"any@{value}").domain


def provider_chain(value: str) -> tuple[str, ...]:
    """The names of known providers, the first choice first. Raises `ValueError`."""
    names, choices = comma_list(value), ", ".join(PROVIDERS)
    if not names or len(set(names)) != len(names):
        raise ValueError(f"must name one provider, or several different ones: {choices}")
    for name in names:
        if name not in PROVIDERS:
            raise ValueError(f"does not know {name!r}; choose from {choices}")
    if "inbox" in names and len(names) > 1:
        raise ValueError("inbox stands alone: it accepts everything and sends nothing")
    return names


SETTINGS = (
    Setting("FLASK_DEBUG", boolean, "0"),
    Setting("PORT", number(0, 65535), "5000"),
    Setting("SECRET_KEY", any_text, DEVELOPMENT_SECRET_KEY, "", required=True, shortest=32),
    Setting("SECRET_KEY_FALLBACKS", comma_list, shortest=32),
    Setting("APP_NAME", any_text, "Your App"),
    Setting("APP_URL", url, "", required=True),
    Setting("FROM_EMAIL", address, "Your App <noreply@yourdomain.com>", "", required=True),
    Setting("CONTACT_EMAIL", address),
    Setting("POSTAL_ADDRESS", any_text, "Your Company, 1 Example Street, 12345 Example City"),
    Setting("BILLING_URL", url),
    Setting("EMAIL_PROVIDER", provider_chain, "inbox", "", required=True),
    *(setting for provider in PROVIDERS.values() for setting in provider.settings()),
    Setting("SUBSCRIBERS_ENABLED", boolean, "true"),
    Setting("EMAIL_DELIVERY", one_of("thread", "celery", "sync"), "thread"),
    Setting("EMAIL_THREADS", number(1, 256), "8"),
    Setting("EMAIL_TIMEOUT", number(1, 300, float), "15"),
    Setting("EMAIL_LEASE", number(2, 3600, float), "60"),
    Setting("EMAIL_SWEEP", number(0.1, 3600, float), "5"),
    Setting("EMAIL_BATCH", boolean, "true"),
    Setting("EMAIL_REDIRECT_TO", address),
    Setting("EMAIL_ALLOWED", recipients),
    Setting("EMAIL_UNKNOWN_WAIT", number(0, 86400, float), "600"),
    Setting("DATABASE_URL", database_url, "sqlite:///app.db"),
    Setting("REDIS_URL", redis_url),
    Setting("API_TOKEN", header_value, shortest=16),
    Setting("METRICS_TOKEN", header_value, shortest=16),
    Setting("STRIPE_WEBHOOK_SECRET", comma_list),
    Setting("RATELIMIT_ENABLED", boolean, "true"),
    Setting("RATELIMIT_SEND", rate, "10/minute"),
    Setting("RATELIMIT_FORM", rate, "5/minute"),
    Setting("SIGNUPS_PER_DOMAIN", number(0, 1_000_000), "50"),
    Setting("TRUSTED_PROXIES", number(0, 10), "0"),
    Setting("LOG_FORMAT", one_of("text", "json"), "text", "json"),
    Setting("LOG_LEVEL", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
)


def read_environment() -> dict[str, str]:
    """The process's variables over those of `.env` beside this file.

    FLASK_DEBUG of `.env` counts for `flask` and `celery` alone: a file that was copied to a server
    must not open the inbox there, whichever program serves.
    """
    stored = dotenv_values(Path(__file__).with_name(".env"))
    if _command() not in ("flask", "celery"):
        stored = {key: value for key, value in stored.items() if key not in DEBUG_NAMES}
    return {key: value for key, value in stored.items() if value is not None} | dict(os.environ)


def _command() -> str:
    """What runs, as typed: `flask` for `.venv/bin/flask` and for `python -m flask` alike."""
    path = Path(next(iter(sys.argv), ""))
    return path.parent.name if path.stem == "__main__" else path.stem


def load(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check `given` (variables as text, or values already typed) and return Flask's configuration.

    Raises `ConfigurationError` with one line for every problem. Keys that are no settings of ours
    are ignored.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    raw = {setting.name: _given_value(setting.name, given, problems) for setting in SETTINGS}
    debug = _debug(raw["FLASK_DEBUG"], bool(given.get("TESTING")))
    for setting in SETTINGS:
        values[setting.name] = _value(setting, raw[setting.name], debug, problems)
    values["FLASK_DEBUG"] = debug
    _fill_in(values)
    _check_together(values, debug, problems)
    if problems:
        mode = "development" if debug else "production"
        start = "" if debug else "; in development: cp .env.example .env, then flask run"
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(
            f"the settings cannot work in {mode}; correct them in the environment or in .env "
            f"(see .env.example{start}):\n{lines}"
        )
    return values | _flask_settings(values)


def debugs_in_public(settings: Mapping[str, Any]) -> bool:
    """Whether development is reached from elsewhere, as through a tunnel for webhooks."""
    return bool(settings["DEBUG"]) and urlsplit(settings["APP_URL"]).hostname not in LOOPBACK


def _given_value(name: str, given: Mapping[str, Any], problems: list[str]) -> Any:
    path, value = given.get(f"{name}_FILE"), given.get(name)
    if isinstance(value, str):
        value = value.strip()  # env files with Windows line ends leave a \r
    if not path:
        return value
    if value:
        problems.append(f"{name} and {name}_FILE are both set; keep one")
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}_FILE cannot be read: {error}")
        return None


def _debug(raw: Any, testing: bool) -> bool:
    if raw is None or raw == "":
        return testing
    try:
        return boolean(str(raw))
    except ValueError:
        return False  # the problem itself is reported with the other settings


def _value(setting: Setting, raw: Any, debug: bool, problems: list[str]) -> Any:
    text = setting.default_for(debug) if raw is None or raw == "" else raw
    if text == "":
        if setting.required and not debug:
            problems.append(f"{setting.name} is required in production")
        return () if setting.parse is comma_list else None
    if not isinstance(text, str | bool | int | float):
        return text  # an override that is typed already
    try:
        return setting.parse(str(text))
    except ValueError as error:
        problems.append(f"{setting.name} {error}")
        return None


def _fill_in(values: dict[str, Any]) -> None:
    values["APP_URL"] = values["APP_URL"] or f"http://127.0.0.1:{values['PORT']}"
    values["CONTACT_EMAIL"] = values["CONTACT_EMAIL"] or values["FROM_EMAIL"]
    values["BILLING_URL"] = values["BILLING_URL"] or f"{values['APP_URL']}/billing"


def _check_together(values: dict[str, Any], debug: bool, problems: list[str]) -> None:
    chain = values["EMAIL_PROVIDER"] or ()
    for name in chain:
        problems.extend(
            f"{setting.name} is required for EMAIL_PROVIDER={name}"
            for setting in SETTINGS
            if setting.required_for == name and not values[setting.name]
        )
    if values["EMAIL_DELIVERY"] == "celery" and not values["REDIS_URL"]:
        problems.append("REDIS_URL is required for EMAIL_DELIVERY=celery")
    timeout, lease = values["EMAIL_TIMEOUT"], values["EMAIL_LEASE"]
    if timeout and lease and lease < 2 * timeout:
        problems.append(f"EMAIL_LEASE must be at least twice EMAIL_TIMEOUT ({2 * timeout:g})")
    if not debug:
        _check_production(values, chain, problems)


def _check_production(values: dict[str, Any], chain: tuple[str, ...], problems: list[str]) -> None:
    problems.extend(
        f"{setting.name} has fewer than {setting.shortest} characters, so it can be guessed; make "
        "your own (python -c 'import secrets; print(secrets.token_hex(32))')"
        for setting in SETTINGS
        if setting.is_too_short(values[setting.name])
    )
    try:
        secure_url(values["APP_URL"])
    except ValueError as error:
        problems.append(f"APP_URL {error}")
    _check_addresses(values, problems)
    if chain == ("inbox",):
        choices = ", ".join(name for name, provider in PROVIDERS.items() if provider.delivers)
        problems.append(
            f"EMAIL_PROVIDER=inbox sends nothing; choose from {choices}, "
            "or set FLASK_DEBUG=1 for development"
        )
    problems.extend(
        f"{setting.name} is the simulator's, which everybody knows; use your own"
        for setting in SETTINGS
        if setting.simulator_key and setting.simulator_key in (values[setting.name] or ())
    )


def _check_addresses(values: dict[str, Any], problems: list[str]) -> None:
    sender, contact = values["FROM_EMAIL"], values["CONTACT_EMAIL"]
    named = {"FROM_EMAIL": sender} | ({} if contact == sender else {"CONTACT_EMAIL": contact})
    named["EMAIL_REDIRECT_TO"] = values["EMAIL_REDIRECT_TO"]
    problems.extend(
        f"{name} is at {value.domain}, a name that exists on your own machine or network only"
        for name, value in named.items()
        if value and value.is_local
    )
    if contact and contact.is_noreply:
        problems.append(
            f"CONTACT_EMAIL (by default the address of FROM_EMAIL) is {contact.email}, which "
            "nobody reads; set it to an address where people get an answer"
        )


def _flask_settings(values: dict[str, Any]) -> dict[str, Any]:
    secure = values["APP_URL"].startswith("https://")
    host = urlsplit(values["APP_URL"]).hostname
    is_sqlite = str(values["DATABASE_URL"]).startswith("sqlite")
    redis = values["REDIS_URL"]
    # Each opens, the last one signs: as itsdangerous takes them.
    keys = [*values["SECRET_KEY_FALLBACKS"], values["SECRET_KEY"]]
    return {
        "DEBUG": values["FLASK_DEBUG"],
        "SQLALCHEMY_DATABASE_URI": values["DATABASE_URL"],
        "SQLALCHEMY_ENGINE_OPTIONS": {} if is_sqlite else {"pool_pre_ping": True},
        "RATELIMIT_STORAGE_URI": f"forgiving+{redis}" if redis else "memory://",
        "RATELIMIT_STORAGE_OPTIONS": REDIS_TIMEOUTS if redis else {},
        "SIGNING_KEYS": keys,
        "WTF_CSRF_SECRET_KEY": keys,
        "TRUSTED_HOSTS": [host, "127.0.0.1", "localhost", "[::1]"],
        "MAX_CONTENT_LENGTH": MAX_BODY,
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,  # the token lives as long as the session
    }
