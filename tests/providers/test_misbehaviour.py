"""Every row of the simulator's table of misbehaviour, as each provider reads it."""

import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import frozen

from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from providers.http import HttpProvider
from tests.providers.samples import ID, KEY, PATHS, SECRET_BODY, MakeProvider, plain, send
from tools.processes import wait_until
from tools.simulator_process import Simulator


@frozen
class May:
    """What an error allows: try again, go elsewhere, count against the provider."""

    retry: bool
    move_on: bool
    trip: bool


FLAGS = {
    InvalidMessage: May(retry=False, move_on=False, trip=False),
    AuthenticationFailed: May(retry=False, move_on=True, trip=True),
    QuotaExceeded: May(retry=True, move_on=True, trip=True),
    RateLimited: May(retry=True, move_on=False, trip=False),
    ProviderUnavailable: May(retry=True, move_on=True, trip=True),
}

# What the recipient asks of the simulator: the error, and its status.
REFUSALS: dict[str, tuple[type[EmailSendError], int]] = {
    "400": (InvalidMessage, 400),
    "401": (AuthenticationFailed, 401),
    "403": (AuthenticationFailed, 403),
    "422": (InvalidMessage, 422),
    "429": (RateLimited, 429),
    "500": (ProviderUnavailable, 500),
    "503": (ProviderUnavailable, 503),
    "redirect": (AuthenticationFailed, 302),
}
QUOTA: dict[str, tuple[type[EmailSendError], int]] = {
    "sequenzy": (RateLimited, 429),  # it has no words of its own for a spent quota
    "resend": (QuotaExceeded, 429),
    "sendgrid": (QuotaExceeded, 401),
}
UNKNOWN = {
    "502": 502, "html": 502, "hang": 0, "drop": 0, "hang-after-accept": 0, "drop-after-accept": 0,
    "drip": 0,
}  # fmt: skip
UNANSWERED = ("hang", "hang-after-accept", "drip")
ACCEPTED_UNSEEN = ("hang-after-accept", "drop-after-accept", "drip")

# Two columns of a vendor's own words for the same refusals.
WORDS = {
    ("sequenzy", "401"): "UNAUTHORIZED: Invalid API key",
    ("sequenzy", "403"): "API key is missing required scopes: transactional:send",
    ("sequenzy", "422"): "Refused on request",
    ("sequenzy", "500"): "Internal server error",
    ("resend", "401"): "validation_error: API key is invalid",
    ("resend", "422"): "validation_error: A field of the request is not valid.",
    ("resend", "429"): "See rate limit response headers for more information.",
    ("resend", "quota"): "daily_quota_exceeded: The daily quota of emails is used up.",
    ("sendgrid", "401"): "The provided authorization grant is invalid, expired, or revoked",
    ("sendgrid", "403"): "from The from address does not match a verified Sender Identity.",
    ("sendgrid", "429"): "too many requests",
    ("sendgrid", "quota"): "Maximum credits exceeded",
}


def failure(provider: HttpProvider, kind: str) -> EmailSendError:
    with pytest.raises(EmailSendError) as raised:
        send(provider, plain(f"{kind}@example.com"), ID)
    return raised.value


def allowed(error: EmailSendError) -> May:
    return May(error.retryable, error.failover_safe, error.trips_breaker)


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_its_class_status_and_consequences(provider, simulator: Simulator, kind):
    expected, status = REFUSALS[kind]
    error = failure(provider, kind)
    assert (type(error), error.status) == (expected, status)
    assert allowed(error) == FLAGS[expected]
    assert error.provider == provider.name
    assert simulator.accepted() == []


@pytest.mark.parametrize("name", QUOTA)
def test_a_spent_quota_is_told_apart_where_the_vendor_says_so(make_provider, name):
    expected, status = QUOTA[name]
    error = failure(make_provider(name), "quota")
    assert (type(error), error.status) == (expected, status)
    assert allowed(error) == FLAGS[expected]


def test_a_429_says_how_long_to_wait(provider: HttpProvider):
    assert failure(provider, "429").retry_after == 1


@pytest.mark.parametrize("kind", UNKNOWN)
def test_an_unknown_outcome_stays_with_its_provider(make_provider: MakeProvider, simulator, kind):
    timeout = 2 if kind in UNANSWERED else 30
    providers = [make_provider(name, timeout=timeout) for name in PATHS]
    with ThreadPoolExecutor(len(providers)) as pool:
        errors = list(pool.map(lambda each: failure(each, kind), providers))
    for provider, error in zip(providers, errors, strict=True):
        assert (type(error), error.status) == (OutcomeUnknown, UNKNOWN[kind])
        repeatable = provider.capabilities.idempotency_window > 0
        assert allowed(error) == May(retry=repeatable, move_on=False, trip=True)
    accepted = len(PATHS) if kind in ACCEPTED_UNSEEN else 0
    wait_until(lambda: len(simulator.accepted()) >= accepted, "the simulator to accept them")
    assert len(simulator.accepted()) == accepted


@pytest.mark.parametrize("kind", ["huge", "slow-30"])
def test_an_answer_that_is_long_or_late_gives_its_id(provider, simulator: Simulator, kind):
    receipt = send(provider, plain(f"{kind}@example.com"), ID)
    [record] = simulator.accepted()
    assert receipt.message_id == record["id"]


def test_an_answer_without_an_id_is_accepted_without_an_id(provider, simulator: Simulator):
    assert send(provider, plain("noid@example.com"), ID).message_id is None
    assert len(simulator.accepted()) == 1


@pytest.mark.parametrize(("name", "kind"), WORDS)
def test_an_error_says_the_providers_own_words(make_provider: MakeProvider, name, kind):
    error = failure(make_provider(name), kind)
    assert str(error).startswith(f"{name} answered {error.status}: ")
    assert str(error).endswith(WORDS[name, kind])


def test_a_redirect_says_which_setting_to_check(provider: HttpProvider):
    assert f"check {provider.name.upper()}_BASE_URL" in str(failure(provider, "redirect"))


@pytest.mark.parametrize("kind", [*REFUSALS, "quota", "502", "html", "drop"])
def test_no_error_shows_the_key_or_the_email(provider: HttpProvider, kind):
    error = failure(provider, kind)
    shown = "".join(traceback.format_exception(error)) + repr(error)
    assert KEY not in shown
    assert SECRET_BODY not in shown
