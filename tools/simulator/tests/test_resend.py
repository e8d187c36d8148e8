"""Resend's dialect: the official SDK is the client, plain JSON where the SDK is too kind."""

import threading
from typing import Any, cast
from uuid import UUID

import pytest
import requests
import resend
from resend.exceptions import (
    MissingRequiredFieldsError,
    RateLimitError,
    ResendError,
    ValidationError,
)

from tools.processes import wait_until
from tools.simulator.tests.conftest import RESEND, Post
from tools.simulator_process import Simulator


@pytest.fixture(autouse=True)
def sdk(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resend, "api_key", "re_key")
    monkeypatch.setattr(resend, "api_url", simulator.url)


def send(params: Any, **options: Any) -> Any:
    return resend.Emails.send(params, cast(Any, options))


def send_batch(params: Any, **options: Any) -> Any:
    return resend.Batch.send(params, cast(Any, options))


def test_the_sdk_gets_a_uuid_and_the_log_has_the_email(simulator):
    everything: dict[str, Any] = RESEND | {
        "to": ["Ann <ann@example.com>"],
        "cc": "cy@example.com",
        "bcc": ["dee@example.com"],
        "reply_to": "help@acme.co",
        "text": "Hi",
        "headers": {"X-A": "1"},
        "tags": [{"name": "email_id", "value": "our-id"}],
        "attachments": [{"filename": "a.txt", "content": "aGk="}],
    }
    answer = send(everything, idempotency_key="k-1")
    assert str(UUID(answer["id"])) == answer["id"]
    [record] = simulator.accepted("DEE@example.com")
    assert record["id"] == answer["id"]
    assert record["idempotency_key"] == "k-1"
    assert record["recipients"] == ["ann@example.com", "cy@example.com", "dee@example.com"]
    assert record["metadata"] == {"email_id": "our-id"}
    assert (record["html"], record["text"]) == ("<p>Hi</p>", "Hi")
    assert record["attachments"] == ["a.txt"]
    assert record["payload"] == everything


def test_a_repeated_key_gives_the_first_id(simulator):
    first, second = (send(RESEND, idempotency_key="k-1") for _ in range(2))
    assert first["id"] == second["id"]
    assert len(simulator.accepted()) == 1


def test_without_a_key_every_request_is_a_new_email(simulator):
    assert send(RESEND)["id"] != send(RESEND)["id"]
    assert len(simulator.accepted()) == 2


def test_a_repeated_key_with_other_content_is_a_conflict(simulator):
    send(RESEND, idempotency_key="k-1")
    with pytest.raises(ResendError) as caught:
        send(RESEND | {"subject": "Other"}, idempotency_key="k-1")
    assert (caught.value.code, caught.value.error_type) == (409, "invalid_idempotent_request")
    assert len(simulator.accepted()) == 1


def test_a_key_whose_first_request_is_unanswered_is_refused_for_now(post: Post, simulator):
    slow = RESEND | {"to": "slow-3000@example.com"}
    answers: list[requests.Response] = []
    first = threading.Thread(
        target=lambda: answers.append(post("/emails", slow, Idempotency_Key="k-1"))
    )
    first.start()
    wait_until(lambda: bool(simulator.accepted()), "the first request to be accepted")
    with pytest.raises(ResendError) as caught:
        send(slow, idempotency_key="k-1")
    first.join()
    assert (caught.value.code, caught.value.error_type) == (409, "concurrent_idempotent_requests")
    assert send(slow, idempotency_key="k-1")["id"] == answers[0].json()["id"]
    assert len(simulator.accepted()) == 1


@pytest.mark.parametrize("key", ["", "x" * 257])
def test_a_key_has_1_to_256_characters(post: Post, simulator, key):
    answer = post("/emails", RESEND, Idempotency_Key=key)
    assert (answer.status_code, answer.json()["name"]) == (400, "invalid_idempotency_key")
    assert simulator.accepted() == []


def test_a_key_of_256_characters_is_taken(post: Post):
    assert post("/emails", RESEND, Idempotency_Key="x" * 256).status_code == 200


def test_a_bad_key_is_a_401(simulator, monkeypatch):
    monkeypatch.setattr(resend, "api_key", "bad-key")
    with pytest.raises(ResendError) as caught:
        send(RESEND)
    assert caught.value.code == 401
    assert simulator.accepted() == []


def test_a_missing_key_is_a_401_of_its_own_name(post: Post):
    answer = post("/emails", RESEND, Authorization=None)
    assert (answer.status_code, answer.json()["name"]) == (401, "missing_api_key")


def test_a_nameless_client_is_turned_away_before_the_api(post: Post, simulator):
    answer = post("/emails", RESEND, User_Agent="")
    assert (answer.status_code, answer.text) == (403, "error code: 1010")
    assert simulator.accepted() == []


def test_a_429_says_how_long_to_wait(simulator):
    with pytest.raises(RateLimitError) as caught:
        send(RESEND | {"to": "429@example.com"})
    assert caught.value.error_type == "rate_limit_exceeded"
    assert caught.value.headers["retry-after"] == "1"
    assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= set(
        caught.value.headers
    )


def test_an_unverified_sender_is_a_403():
    with pytest.raises(ResendError) as caught:
        send(RESEND | {"from": "me@unverified.example"})
    assert (caught.value.code, caught.value.error_type) == (403, "validation_error")


@pytest.mark.parametrize("field", ["from", "to", "subject", "html"])
def test_a_missing_field_is_named(simulator, field):
    with pytest.raises(MissingRequiredFieldsError, match=f"`{field}`"):
        send({name: value for name, value in RESEND.items() if name != field})
    assert simulator.accepted() == []


MANY = [f"a{number}@example.com" for number in range(51)]


@pytest.mark.parametrize(
    "change",
    [
        {"to": "Ann"},
        {"to": ["ann@example.com", "x"]},
        {"to": "a@b.co, c@d.co"},
        {"to": MANY},
        {"to": [7]},
        {"cc": "x"},
        {"reply_to": ["x"]},
        {"subject": 7},
        {"subject": "a\r\nBcc: x@example.com"},
        {"html": 7},
        {"template": {"id": "t"}},
        {"headers": {"X-A": 1}},
        {"tags": [{"name": "a b", "value": "c"}]},
        {"tags": [{"name": "a", "value": "ü"}]},
        {"tags": [{"name": "a"}]},
        {"tags": [{"name": "a", "value": "x" * 257}]},
        {"tags": {"a": "b"}},
        {"scheduled_at": "2026-11-24T10:00:00.123456Z"},
    ],
)
def test_a_rule_that_is_broken_is_a_422(simulator, change):
    with pytest.raises(ValidationError) as caught:
        send(RESEND | change)
    assert caught.value.code == 422
    assert caught.value.message
    assert simulator.accepted() == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"from": "Acme"}, "invalid_from_address"),
        ({"attachments": [{"filename": "a.txt"}]}, "invalid_attachment"),
        ({"attachments": [{"filename": "a.txt", "content": "a b"}]}, "invalid_attachment"),
        ({"attachments": [{"content": "A" * (40 * 1024 * 1024 + 4)}]}, "invalid_attachment"),
    ],
)
def test_some_rules_have_a_name_of_their_own(post: Post, simulator, change, name):
    answer = post("/emails", RESEND | change)
    assert (answer.status_code, answer.json()["name"]) == (422, name)
    assert answer.json()["statusCode"] == 422
    assert simulator.accepted() == []


def test_fields_of_the_node_sdk_are_ignored(post: Post, simulator):
    assert post("/emails", RESEND | {"replyTo": "help@acme.co"}).status_code == 200
    assert simulator.accepted()[0]["reply_to"] == []


def test_a_strict_batch_sends_all_in_order(simulator):
    batch = [RESEND | {"to": f"{name}@example.com"} for name in ("ann", "bob")]
    answer = send_batch(batch, idempotency_key="k-1")
    ids = [item["id"] for item in answer["data"]]
    records = simulator.accepted()
    assert [record["id"] for record in records] == ids
    assert [record["to"] for record in records] == [["ann@example.com"], ["bob@example.com"]]
    assert [record["payload"] for record in records] == batch
    again = send_batch(batch, idempotency_key="k-1")
    assert [item["id"] for item in again["data"]] == ids
    assert len(simulator.accepted()) == 2


def test_a_strict_batch_is_refused_for_one_bad_email(simulator):
    with pytest.raises(ValidationError):
        send_batch([RESEND, RESEND | {"to": "x"}])
    assert simulator.accepted() == []


def test_a_permissive_batch_leaves_out_the_bad_ones(simulator):
    batch = [RESEND | {"to": "x"}, RESEND, RESEND | {"to": "y"}]
    options = {"batch_validation": "permissive", "idempotency_key": "k-1"}
    answer = send_batch(batch, **options)
    assert [error["index"] for error in answer["errors"]] == [0, 2]
    [record] = simulator.accepted()
    assert [item["id"] for item in answer["data"]] == [record["id"]]
    again = send_batch(batch, **options)
    assert (again["data"], again["errors"]) == (answer["data"], answer["errors"])


@pytest.mark.parametrize("batch", [[], [RESEND] * 101, RESEND])
def test_a_batch_is_a_list_of_1_to_100(post: Post, simulator, batch):
    assert post("/emails/batch", batch).status_code == 422
    assert simulator.accepted() == []


def test_attachments_of_a_batch_are_dropped_without_a_word(simulator):
    send_batch([RESEND | {"attachments": [{"filename": "a.txt", "content": "aGk="}]}])
    assert simulator.accepted()[0]["attachments"] == []


def test_a_batch_has_tags_and_a_schedule_for_each_email(simulator):
    later = RESEND | {"scheduled_at": "2030-01-01T10:00:00Z"}
    send_batch([RESEND | {"tags": [{"name": "a", "value": "b"}]}, later])
    first, second = simulator.accepted()
    assert (first["metadata"], second["metadata"]) == ({"a": "b"}, {})
    assert second["payload"] == later


def test_a_key_belongs_to_the_bytes_of_its_batch(simulator):
    batch = [RESEND, RESEND | {"to": "bob@example.com"}]
    options = {"batch_validation": "permissive", "idempotency_key": "k-1"}
    ids = [item["id"] for item in send_batch(batch, **options)["data"]]
    for other in (batch[::-1], batch[:1]):
        with pytest.raises(ResendError) as caught:
            send_batch(other, **options)
        conflict = (caught.value.code, caught.value.error_type)
        assert conflict == (409, "invalid_idempotent_request")
    assert [record["id"] for record in simulator.accepted()] == ids
