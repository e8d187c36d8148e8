"""Whether a key may send, learnt without sending; the vendors' clients ask the same."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from socket import socket
from typing import Any

import httpx
import pytest
import resend
import sequenzy  # type: ignore[import-untyped] # it ships no types
from sendgrid import SendGridAPIClient

from database import utc_now
from errors import (
    AuthenticationFailed,
    EmailSendError,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    UnsupportedFeature,
)
from providers.http import HttpProvider
from tests.providers.listener import Listener, answer
from tests.providers.samples import PATHS, new_provider
from tools.processes import free_port
from tools.simulator_process import Simulator


def key_error(provider: HttpProvider) -> EmailSendError | None:
    return provider.check_key().error


def with_key(key: str, name: str, simulator: Simulator) -> HttpProvider:
    return new_provider(name, simulator.url + PATHS[name], api_key=key)


def test_a_good_key_may_send_and_the_answer_tells_the_time(provider: HttpProvider):
    checked = provider.check_key()
    assert checked.error is None
    told = parsedate_to_datetime(checked.headers["Date"])
    assert abs((utc_now() - told).total_seconds()) < 60


def test_asking_sends_nothing(provider: HttpProvider, simulator: Simulator):
    provider.check_key()
    assert simulator.accepted() == []


@pytest.mark.parametrize("name", PATHS)
def test_a_key_that_may_only_send_is_good(simulator: Simulator, name: str):
    assert key_error(with_key("only-sending", name, simulator)) is None


@pytest.mark.parametrize(("name", "scope"), [("sendgrid", "mail.send"), ("sequenzy", "transac")])
def test_a_key_without_the_right_to_send_is_told_which_it_lacks(
    simulator: Simulator, name: str, scope: str
):
    found = key_error(with_key("only-reading", name, simulator))
    assert isinstance(found, AuthenticationFailed)
    assert f"lacks the scope {scope}" in str(found)


@pytest.mark.parametrize("name", PATHS)
def test_a_wrong_key_is_refused_in_the_vendors_words_without_the_key(
    simulator: Simulator, name: str
):
    found = key_error(with_key("bad-key", name, simulator))
    assert isinstance(found, AuthenticationFailed)
    assert "answered 401: " in str(found)
    assert "bad-key" not in str(found)


MISSING_SEND = b'{"error":"API key is missing required scopes: account:read, transactional:send"}'
VIEWER = b'{"apiKeyPermissions":{"liveDeliveryBlockedByRole":true}}'
MARKETER = b'{"apiKeyPermissions":{"roleRestrictedScopes":["transactional:send"]}}'
OLD_WORDS = b'{"statusCode":400,"name":"validation_error","message":"API key is invalid"}'
ANSWERS: dict[str, tuple[str, int, bytes, type[EmailSendError] | None]] = {
    "a key that lacks both": ("sequenzy", 403, MISSING_SEND, AuthenticationFailed),
    "another company's key": ("sequenzy", 403, b'{"error":"Access denied"}', AuthenticationFailed),
    "a viewer's key": ("sequenzy", 200, VIEWER, AuthenticationFailed),
    "a marketer's key": ("sequenzy", 200, MARKETER, AuthenticationFailed),
    "an account that tells no rights": ("sequenzy", 200, b'{"success":true}', None),
    "scopes in no list": ("sendgrid", 200, b'{"scopes":"mail.send"}', None),
    "a bad key as a bad request": ("resend", 400, OLD_WORDS, AuthenticationFailed),
    "a redirect": ("resend", 301, b"", AuthenticationFailed),
    "too fast": ("resend", 429, b"{}", RateLimited),
    "out of order": ("resend", 503, b"", ProviderUnavailable),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_every_other_answer_is_understood(listener: Listener, case: str):
    name, status, body, kind = ANSWERS[case]
    listener.answers(answer(status, body))
    found = key_error(new_provider(name, listener.url))
    assert type(found) is (kind or type(None))


def test_nobody_there_and_no_answer_are_told_apart(listener: Listener):
    with pytest.raises(ProviderUnavailable, match="could not be reached at http"):
        new_provider("resend", f"http://127.0.0.1:{free_port()}").check_key()

    def say_nothing(_connection: socket, _number: int) -> None:
        listener.stopped.wait(30)

    listener.script = say_nothing
    with pytest.raises(OutcomeUnknown, match="did not answer within 1 s"):
        new_provider("resend", listener.url, timeout=1).check_key()


def test_a_provider_without_a_harmless_read_says_so(
    provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(type(provider), "key_check_path", None)
    with pytest.raises(UnsupportedFeature):
        provider.check_key()


def _resend_domains(url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(resend, "api_key", "re_x")
    monkeypatch.setattr(resend, "api_url", url)
    return resend.Domains.list()["data"]


def _sendgrid_scopes(url: str, _: pytest.MonkeyPatch) -> Any:
    return SendGridAPIClient("SG.x", host=url).client.scopes.get().to_dict["scopes"]


def _sequenzy_account(url: str, _: pytest.MonkeyPatch) -> Any:
    with httpx.Client(trust_env=False) as http:
        client = sequenzy.Sequenzy(
            api_key="k", base_url=f"{url}/api/v1", max_retries=0, httpx_client=http
        )
        return client.account.get().api_key_permissions.missing_live_delivery_scopes


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (_resend_domains, []),
        (_sendgrid_scopes, ["mail.send", "stats.read"]),
        (_sequenzy_account, []),
    ],
)
def test_the_official_clients_read_the_simulators_answers(
    simulator: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[str, pytest.MonkeyPatch], Any],
    told: Any,
):
    assert ask(simulator.url, monkeypatch) == told
