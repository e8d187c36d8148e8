"""What stands in for requests, or looks on: test doubles never let an email out."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from errors import OutcomeUnknown, ProviderUnavailable
from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, KEY, failure, plain, resend, send


def double() -> requests.Response:
    response = requests.Response()
    response.status_code = 200
    response.raw = urllib3.HTTPResponse(BytesIO(b'{"id": "d-1"}'), preload_content=False)
    return response


@pytest.mark.parametrize("place", [requests.Session, HTTPAdapter])
def test_a_double_that_sends_is_read_like_an_answer(monkeypatch: pytest.MonkeyPatch, place):
    seen: list[requests.PreparedRequest] = []

    def answer_at_once(_: Any, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        seen.append(request)
        return double()

    provider = resend("https://api.example.com")
    monkeypatch.setattr(place, "send", answer_at_once)
    assert send(provider, plain(), ID).message_id == "d-1"
    [request] = seen
    assert request.url == "https://api.example.com/emails"
    assert json.loads(request.body or b"")["to"] == ["ann@example.com"]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["Idempotency-Key"] == ID


def test_a_double_may_stand_for_the_adapter(monkeypatch: pytest.MonkeyPatch):
    class Double(BaseAdapter):
        def send(self, *_: Any, **__: Any) -> requests.Response:
            return double()

    monkeypatch.setattr(requests.Session, "get_adapter", lambda _, url: Double())
    assert send(resend("https://api.example.com"), plain(), ID).message_id == "d-1"


def test_a_double_may_stand_for_the_whole_request(monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []

    def request(_: Any, method: str, url: str, **options: Any) -> requests.Response:
        seen.append((method, url, options["allow_redirects"]))
        return double()

    monkeypatch.setattr(requests.Session, "request", request)
    assert send(resend("https://api.example.com"), plain(), ID).message_id == "d-1"
    assert seen == [("POST", "https://api.example.com/emails", False)]


def test_what_only_looks_on_changes_nothing(listener: Listener, monkeypatch, tmp_path: Path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login eve password x\n")
    monkeypatch.setenv("NETRC", str(netrc))
    listener.answers(answer(200, b'{"id": "x"}', "Set-Cookie: session=1; Path=/"))
    real = requests.Session.send
    provider = resend(listener.url)
    send(provider, plain(), ID)
    monkeypatch.setattr(requests.Session, "send", lambda *given, **options: real(*given, **options))
    send(provider, plain(), ID)
    send(provider, plain(), ID)
    plainly, *traced = [sorted(each.splitlines()[1:-1]) for each in listener.requests]
    for lines in traced:
        assert [line for line in lines if not line.startswith(b"Connection: ")] == plainly


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (requests.ConnectionError("refused"), ProviderUnavailable),
        (requests.ConnectTimeout(), ProviderUnavailable),
        (requests.ReadTimeout(), OutcomeUnknown),
    ],
)
def test_a_double_may_raise_what_requests_raises(monkeypatch, raised, expected):
    def send(*_: Any, **__: Any) -> requests.Response:
        raise raised

    monkeypatch.setattr(requests.Session, "send", send)
    assert type(failure(resend("https://api.example.com"))) is expected
