"""Several emails in one call: what is sent, and what became of each of them."""

import json
from typing import Any, cast

import pytest
import resend

from errors import (
    AuthenticationFailed,
    EmailSendError,
    InvalidMessage,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    UnsupportedFeature,
)
from extensions import email
from message import Attachment
from providers.base import Provider, Receipt, WireRequest
from providers.http import HttpProvider
from providers.inbox import Inbox
from tests.conftest import MakeApp
from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, KEY, PATHS, SECRET_BODY, new_provider, plain
from tools.simulator_process import Simulator

PEOPLE = ["ann@example.com", "ben@example.com", "cy@example.com"]


def members(provider: Provider, people: list[str]) -> list[WireRequest]:
    return [provider.build(plain(to), f"email-{number}") for number, to in enumerate(people)]


def post(provider: Provider, people: list[str]) -> list[Receipt | EmailSendError]:
    batch = provider.build_batch(members(provider, people), ID)
    return provider.post_batch(batch, len(people))


def told(listener: Listener, body: Any, status: int = 200) -> HttpProvider:
    """Resend, whose API answers this; a body that is no bytes becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    listener.answers(answer(status, raw, "Content-Type: application/json"))
    return new_provider("resend", listener.url)


def head_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def test_each_email_of_a_batch_arrives_under_its_own_id_and_receipt(make_provider, simulator):
    receipts = post(make_provider("resend"), PEOPLE)
    accepted = simulator.accepted()
    assert [each["to"] for each in accepted] == [[to] for to in PEOPLE]
    assert [cast(Receipt, each).message_id for each in receipts] == [
        each["id"] for each in accepted
    ]
    assert [each["metadata"]["email_id"] for each in accepted] == ["email-0", "email-1", "email-2"]


def test_a_batch_holds_the_very_bytes_of_its_emails(make_provider):
    provider = make_provider("resend")
    single = members(provider, PEOPLE)
    batch = provider.build_batch(single, ID)
    assert batch.body == b"[" + b",".join(each.body for each in single) + b"]"
    assert batch == provider.build_batch(single, ID)
    assert SECRET_BODY not in repr(batch)


def test_our_batch_is_that_of_the_official_sdk(listener: Listener, monkeypatch):
    provider = told(listener, {"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}]})
    post(provider, PEOPLE)
    params = [
        {
            "from": "Acme <a@acme.co>",
            "to": [to],
            "subject": "Hello",
            "text": plain().text,
            "html": SECRET_BODY,
            "tags": [{"name": "email_id", "value": f"email-{number}"}],
        }
        for number, to in enumerate(PEOPLE)
    ]
    monkeypatch.setattr(resend, "api_key", KEY)
    monkeypatch.setattr(resend, "api_url", listener.url)
    resend.Batch.send(cast(Any, params), {"idempotency_key": ID, "batch_validation": "permissive"})
    ours, theirs = listener.requests
    assert ours.split(b"\r\n")[0] == theirs.split(b"\r\n")[0] == b"POST /emails/batch HTTP/1.1"
    bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in (ours, theirs)]
    assert bodies[0] == bodies[1]
    for name in ("authorization", "content-type", "idempotency-key", "x-batch-validation"):
        assert head_of(ours)[name] == head_of(theirs)[name]


def test_a_repeated_batch_gives_the_first_receipts(make_provider, simulator: Simulator):
    provider = make_provider("resend")
    assert post(provider, PEOPLE) == post(provider, PEOPLE)
    assert len(simulator.accepted()) == len(PEOPLE)


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}, ["1", "2", "3"]),
        ({"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}], "errors": []}, ["1", "2", "3"]),
        ({"data": [{"id": "1"}, {"id": "2"}, {"id": "3"}], "errors": None}, ["1", "2", "3"]),
        ({"data": [{}, None, {"id": 7}]}, [None, None, None]),
        ({"data": [{"id": "1"}, {"id": "3"}], "errors": [{"index": 1, "message": "Bad"}]},
         ["1", "Bad", "3"]),
        ({"data": [{"id": "3"}], "errors": [{"index": 1, "message": "B"}, {"index": 0}]},
         ["None", "B", "3"]),
        ({"data": [{"id": "2"}, {"id": "3"}],
          "errors": [{"index": 0, "message": "A"}, {"index": 0, "message": "B"}]},
         ["B", "2", "3"]),
        ({"data": None, "errors": [{"index": number, "message": "N"} for number in range(3)]},
         ["N", "N", "N"]),
        ({"errors": [{"index": number, "message": "N"} for number in range(3)]}, ["N", "N", "N"]),
    ],
)  # fmt: skip
def test_each_email_of_a_batch_has_its_own_answer(listener: Listener, body, ids):
    results = post(told(listener, body), PEOPLE)
    found = [
        each.message_id if isinstance(each, Receipt) else str(each).rpartition(": ")[2]
        for each in results
    ]
    assert found == ids
    assert all(isinstance(each, Receipt | InvalidMessage) for each in results)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>OK</html>", b'{"data": [{"id": "1"}', b"[" * 60000, [{"id": "1"}], 5, None, {},
        {"data": {"id": "1"}}, {"data": "abc"}, {"data": [{"id": "1"}, {"id": "2"}]},
        {"data": [{"id": "1"}] * 4}, {"data": [{"id": "1"}] * 3, "errors": [{"index": 1}]},
        {"data": [{"id": "1"}] * 2, "errors": [{"index": 3}]},
        {"data": [{"id": "1"}] * 2, "errors": [{"index": -1}]},
        {"data": [{"id": "1"}] * 2, "errors": [{"index": "1"}]},
        {"data": [{"id": "1"}] * 2, "errors": ["Bad"]},
        {"data": [{"id": "1"}] * 2, "errors": {"1": "Bad"}},
    ],
)  # fmt: skip
def test_a_yes_that_fits_no_email_is_unknown_for_all(listener: Listener, body):
    with pytest.raises(OutcomeUnknown) as unknown:
        post(told(listener, body), PEOPLE)
    assert (unknown.value.status, unknown.value.retryable) == (200, True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, AuthenticationFailed), (422, InvalidMessage), (429, RateLimited),
        (500, ProviderUnavailable), (502, OutcomeUnknown),
    ],
)  # fmt: skip
def test_a_no_to_the_whole_call_is_raised(listener: Listener, status, expected):
    with pytest.raises(expected):
        post(told(listener, {"message": "No"}, status), PEOPLE)


@pytest.mark.parametrize(
    "words",
    [
        "The acme.co domain is not verified. Please, add and verify your domain",
        "You can only send testing emails to your own address; please verify a domain",
    ],
)
def test_a_sender_refused_within_a_batch_is_no_fault_of_the_email(listener: Listener, words):
    body = {"data": [{"id": "1"}], "errors": [{"index": 1, "message": words}]}
    _, refused = post(told(listener, body), PEOPLE[:2])
    assert type(refused) is AuthenticationFailed


def test_a_refusal_within_a_batch_is_one_short_line_without_the_key(listener: Listener):
    words = f"a\nb {KEY} " + "x" * 900
    [result] = post(told(listener, {"errors": [{"index": 0, "message": words}]}), ["a@example.com"])
    assert str(result).startswith("resend refused it in a batch: a b [key] x")
    assert len(str(result)) < 550


def test_what_is_too_much_for_one_call_is_refused_before_it(listener: Listener):
    provider = new_provider("resend", listener.url)
    with pytest.raises(UnsupportedFeature, match="at most 100 emails in a call; here are 101"):
        post(provider, ["ann@example.com"] * 101)
    large = WireRequest(path="/emails", body=b"x" * (20 * 1024 * 1024 + 1))
    with pytest.raises(UnsupportedFeature, match="resend takes at most 41943040 bytes"):
        provider.build_batch([large, large], ID)
    with pytest.raises(InvalidMessage, match="key"):
        provider.build_batch(members(provider, PEOPLE), "two\nlines")
    assert listener.requests == []


@pytest.mark.parametrize("name", [*PATHS, "inbox"])
def test_only_what_arrives_the_same_may_share_a_call(name):
    provider = Inbox() if name == "inbox" else new_provider(name, "http://127.0.0.1:1")
    takes_batches = provider.capabilities.max_batch > 1
    assert takes_batches is (name == "resend")
    assert provider.may_batch(plain()) is takes_batches
    assert not provider.may_batch(plain(attachments=[Attachment(filename="a.txt", content=b"x")]))
    if not takes_batches:
        request = WireRequest(path="")
        with pytest.raises(UnsupportedFeature, match=f"{name} takes no batches"):
            provider.build_batch([request], ID)
        with pytest.raises(UnsupportedFeature, match=f"{name} takes no batches"):
            provider.post_batch(request, 1)


def test_the_email_service_passes_a_batch_on(make_app: MakeApp, simulator: Simulator):
    chain = {"EMAIL_PROVIDER": "resend", "RESEND_API_KEY": "k", "RESEND_BASE_URL": simulator.url}
    with make_app(**chain).app_context():
        requests = [email.build("resend", plain(to), f"email-{to}") for to in PEOPLE]
        batch = email.build_batch("resend", requests, ID)
        results = email.post_batch("resend", batch, len(requests))
    accepted = [each["id"] for each in simulator.accepted()]
    assert [cast(Receipt, each).message_id for each in results] == accepted
