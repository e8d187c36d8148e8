"""Each provider's own word on its key, and its clock against ours."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from cli.doctor.checks import Check, hint, ok, problem, skipped
from errors import (
    AuthenticationFailed,
    EmailSendError,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    UnsupportedFeature,
)
from providers import PROVIDERS

PATIENCE = 5.0  # seconds for one call
MAX_SKEW = 60.0  # seconds; signatures of webhooks are valid for 300


def check_accounts(settings: Mapping[str, Any]) -> tuple[dict[str, Check], Check]:
    """A check for each provider that EMAIL_PROVIDER names, and that of the clock."""
    accounts: dict[str, Check] = {}
    skews: list[float] = []
    for name in settings["EMAIL_PROVIDER"]:
        if PROVIDERS[name].delivers:
            accounts[name] = _check_account(name, settings, skews)
    return accounts, _check_clock(skews)


def _check_account(name: str, settings: Mapping[str, Any], skews: list[float]) -> Check:
    line = f"{name}-account"
    provider = PROVIDERS[name].from_settings({**settings, "EMAIL_TIMEOUT": PATIENCE})
    try:
        checked = provider.check_key()
    except UnsupportedFeature:
        return skipped(line, f"nothing is known of {name} that can be asked without sending")
    except EmailSendError as error:
        return _explain(line, error, name)
    skews.extend(_skew(checked.headers.get("Date")))
    return _explain(line, checked.error, name) if checked.error else ok(line, "the key may send")


def _explain(line: str, error: EmailSendError, name: str) -> Check:
    url, key = f"{name.upper()}_BASE_URL", f"{name.upper()}_API_KEY"
    if isinstance(error, RateLimited):
        return hint(line, f"{error}", "try again in a while; the key was not looked at")
    remedies: dict[type[EmailSendError], str] = {
        QuotaExceeded: "wait for the next window of the allowance, or choose a larger plan",
        OutcomeUnknown: f"check {url} and its status page; a firewall that drops packets is silent",
        ProviderUnavailable: f"check {url}, the network from here, and the provider's status page",
    }
    remedy = remedies.get(type(error), f"check {url}: this is no answer of {name}'s API")
    if isinstance(error, AuthenticationFailed) and not 300 <= error.status < 400:
        remedy = f"set {key} to a key of this account that may send, and restart"
    return problem(line, str(error), remedy)


def _skew(date: str | None) -> list[float]:
    """How many seconds our clock is ahead, in a list; an empty one if `date` is no date."""
    try:
        return [time.time() - parsedate_to_datetime(date or "").timestamp()]
    except (ValueError, TypeError, OverflowError):
        return []


def _check_clock(skews: list[float]) -> Check:
    if not skews:
        return skipped("clock", "no provider told the time")
    # Of several the one closest to ours: then it is not our clock that is wrong.
    skew = min(skews, key=abs)
    if abs(skew) <= MAX_SKEW:
        return ok("clock")
    return problem(
        "clock",
        f"this machine's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}: genuine "
        "webhooks are refused as too old or too new",
        "let the machine set its clock by NTP (timedatectl set-ntp true)",
    )
