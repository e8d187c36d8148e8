"""Answers that the simulator does not give: each vendor's rarer words, and plain nonsense."""

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

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
from providers.resend import Resend
from tests.providers.listener import Listener, answer
from tests.providers.samples import ID, KEY, PATHS, new_provider, plain, send


def told(
    listener: Listener, name: str, status: int, body: Any = b"", *headers: str
) -> HttpProvider:
    """A provider whose API answers this; a body that is no bytes becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    listener.answers(answer(status, raw, *headers))
    return new_provider(name, listener.url)


def failure(provider: HttpProvider) -> EmailSendError:
    with pytest.raises(EmailSendError) as raised:
        send(provider, plain(), ID)
    return raised.value


@pytest.mark.parametrize(
    ("name", "status", "body", "expected"),
    [
        ("sequenzy", 404, {"error": {"code": "NOT_FOUND"}}, InvalidMessage),
        ("sequenzy", 409, {"error": "Idempotency key reused"}, InvalidMessage),
        ("sequenzy", 200, {"success": False, "error": "Rejected"}, InvalidMessage),
        ("resend", 400, {"name": "invalid_api_key"}, AuthenticationFailed),
        ("resend", 401, {"name": "restricted_api_key"}, AuthenticationFailed),
        ("resend", 403, {"name": "validation_error"}, AuthenticationFailed),
        ("resend", 403, b"error code: 1010", AuthenticationFailed),
        ("resend", 409, {"name": "invalid_idempotent_request"}, InvalidMessage),
        ("resend", 409, {"name": "concurrent_idempotent_requests"}, RateLimited),
        ("resend", 409, {"name": "resource_locked"}, RateLimited),
        ("resend", 429, {"name": "monthly_quota_exceeded"}, QuotaExceeded),
        ("sendgrid", 401, {"errors": [{"message": "Maximum credits exceeded"}]}, QuotaExceeded),
    ],
)
def test_a_vendor_is_read_by_its_words(listener: Listener, name, status, body, expected):
    error = failure(told(listener, name, status, body))
    assert (type(error), error.status) == (expected, status)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, AuthenticationFailed), (308, AuthenticationFailed), (401, AuthenticationFailed),
        (403, AuthenticationFailed), (400, InvalidMessage), (404, InvalidMessage),
        (405, InvalidMessage), (409, InvalidMessage), (413, InvalidMessage), (422, InvalidMessage),
        (408, OutcomeUnknown), (502, OutcomeUnknown), (504, OutcomeUnknown), (520, OutcomeUnknown),
        (500, ProviderUnavailable), (503, ProviderUnavailable), (429, RateLimited),
    ],
)  # fmt: skip
def test_a_gateway_is_read_by_its_status(listener: Listener, name, status, expected):
    error = failure(told(listener, name, status, b"<html>Sorry</html>"))
    assert (type(error), error.status) == (expected, status)
    assert "<html>Sorry</html>" in str(error)
    assert error.reached


@pytest.mark.parametrize("name", ["sequenzy", "resend"])
def test_a_key_reused_for_another_email_is_loud(make_provider, simulator, name):
    provider = make_provider(name)
    send(provider, plain(), ID)
    with pytest.raises(InvalidMessage, match="idempotency_mismatch") as refused:
        send(provider, plain(subject="Other"), ID)
    assert (refused.value.status, refused.value.retryable) == (409, False)
    assert len(simulator.accepted()) == 1


@pytest.mark.parametrize("name", ["concurrent_idempotent_requests", "resource_locked"])
def test_a_key_that_is_still_being_answered_is_tried_again_soon(listener: Listener, name):
    error = failure(told(listener, "resend", 409, {"name": name}))
    assert (type(error), error.retryable, error.retry_after) == (RateLimited, True, 3)


def test_sequenzy_may_say_that_a_503_is_final(listener: Listener):
    final = failure(told(listener, "sequenzy", 503, {"error": "No", "retryable": False}))
    assert (type(final), final.retryable) == (ProviderUnavailable, False)
    assert failure(told(listener, "sequenzy", 503, {"retryable": True})).retryable


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"code": "BAD", "message": "Nope"}}, "BAD: Nope"),
        ({"error": "Nope", "message": "other"}, "Nope"),
        ({"message": "Nope"}, "Nope"),
        ({"title": "Nope", "description": "other"}, "Nope"),
        ({"description": "Nope"}, "Nope"),
        ({}, "{}"),
        (b"", "no explanation"),
    ],
)
def test_sequenzy_explains_itself_in_one_of_many_places(listener: Listener, body, words):
    assert str(failure(told(listener, "sequenzy", 400, body))) == f"sequenzy answered 400: {words}"


def test_sendgrid_names_every_field_that_is_wrong(listener: Listener):
    errors = [{"field": "from", "message": "Bad"}, {"field": None, "message": "Worse"}, "odd"]
    error = failure(told(listener, "sendgrid", 400, {"errors": errors}))
    assert str(error) == "sendgrid answered 400: from Bad; Worse"


@pytest.mark.parametrize(
    ("name", "body", "headers", "expected"),
    [
        ("sequenzy", {"success": True, "emailSendId": "es_1", "jobId": "j"}, [], "es_1"),
        ("sequenzy", {"success": True, "jobId": "j"}, [], "j"),
        ("sequenzy", {"success": True}, [], None),
        ("resend", {"id": "r-1"}, [], "r-1"),
        ("sendgrid", b"", ["X-Message-Id: s-1"], "s-1"),
    ],
)
def test_each_vendor_keeps_its_id_elsewhere(listener: Listener, name, body, headers, expected):
    provider = told(listener, name, 200, body, *headers)
    assert send(provider, plain(), ID).message_id == expected


def test_the_sandbox_of_sendgrid_answers_200_without_an_id(listener: Listener):
    receipt = send(told(listener, "sendgrid", 200), plain(), ID)
    assert (receipt.status, receipt.message_id) == (200, None)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"<html>OK</html>", b"[1, 2]", b"null", b'"id"', b"{", b"\xff\x00", b"[" * 60000,
        b'{"id": 7, "emailSendId": ["x"]}', b'{"id": "a\\u0000b", "emailSendId": "\\ud800"}',
        b'{"ignoredHeaders": ["X-A", null, {"name": 1}]}', b'{"ignoredHeaders": 5}',
        b'{"id": "%s", "emailSendId": "%s"}' % (b"x" * 256, b"x" * 256),
    ],
)  # fmt: skip
def test_a_yes_in_any_shape_is_accepted_without_an_id(listener: Listener, name, body):
    assert send(told(listener, name, 200, body), plain(), ID).message_id is None


def test_headers_that_sequenzy_does_not_apply_are_noted(listener: Listener):
    body = {"success": True, "ignoredHeaders": [{"name": "X-Bad", "reason": "invalid_name"}]}
    receipt = send(told(listener, "sequenzy", 200, body), plain(), ID)
    assert receipt.notes == ("header not applied: X-Bad",)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        [1], None, {"error": [1]}, {"errors": 5}, {"errors": [None]}, {"name": {}}, {"message": 5},
        {"error": {"code": {}, "message": []}},
    ],
)  # fmt: skip
def test_a_no_in_any_shape_is_still_an_error_of_the_tree(listener: Listener, name, body):
    assert type(failure(told(listener, name, 400, body))) is InvalidMessage


@pytest.mark.parametrize("name", PATHS)
def test_an_explanation_is_one_short_line_without_the_key(listener: Listener, name):
    words = "a\x00b\nc \ud800" + "x" * (480 - 7) + KEY + "y" * 600
    body = {"message": words, "errors": [{"message": words}], "emailSendId": "e"}
    for status in (400, 500, 502):
        text = str(failure(told(listener, name, status, body)))
        assert len(text) < 550
        assert text.isprintable()
        assert not any(KEY[:length] in text for length in range(8, len(KEY)))


def test_a_key_too_short_to_be_one_is_not_masked_out_of_words(listener: Listener):
    listener.answers(answer(429, json.dumps({"message": "Too many requests"}).encode()))
    provider = Resend("any", listener.url, timeout=10)
    assert str(failure(provider)) == "resend answered 429: Too many requests"


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7), ("0.5", 1), ("0", 1), ("-1", 1), ("1e9", 3600), ("inf", 3600), ("nan", 1),
        ("soon", None), ("", None), ("Mon, 99 Foo 2026", None), ("9" * 400, 3600),
    ],
)  # fmt: skip
def test_a_retry_after_is_believed_within_limits(listener: Listener, header, wait):
    error = failure(told(listener, "resend", 429, {}, f"Retry-After: {header}"))
    assert error.retry_after == wait


@pytest.mark.parametrize(("seconds", "wait"), [(600, 600), (-600, 1), (86400, 3600)])
def test_a_retry_after_may_be_a_date(listener: Listener, seconds, wait):
    date = formatdate(time.time() + seconds, usegmt=True)
    error = failure(told(listener, "resend", 503, {}, f"Retry-After: {date}"))
    assert error.retry_after == pytest.approx(wait, abs=60)


@pytest.mark.parametrize(
    ("name", "header", "value", "wait"),
    [
        ("resend", "ratelimit-reset", "4", 4),  # seconds from now
        ("sendgrid", "X-RateLimit-Reset", "1", 1),  # unix seconds, as the next ones
        ("sendgrid", "X-RateLimit-Reset", "9" * 400, 3600),
        ("sendgrid", "X-RateLimit-Reset", "9" * 5000, 3600),
        ("sendgrid", "X-RateLimit-Reset", "-5", None),
        ("sequenzy", "X-RateLimit-Reset", "soon", None),
    ],
)
def test_each_vendor_has_its_own_header_for_the_wait(listener, name, header, value, wait):
    assert failure(told(listener, name, 429, {}, f"{header}: {value}")).retry_after == wait


@pytest.mark.parametrize("name", ["sequenzy", "sendgrid"])
def test_a_reset_in_unix_seconds_is_a_wait_from_now(listener: Listener, name):
    header = f"X-RateLimit-Reset: {int(time.time()) + 1200}"
    wait = failure(told(listener, name, 429, {}, header)).retry_after
    assert wait == pytest.approx(1200, abs=60)
