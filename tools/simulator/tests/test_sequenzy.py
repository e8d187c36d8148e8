"""Sequenzy's dialect: the official SDK is the client, plain JSON where the SDK is too kind."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sequenzy  # type: ignore[import-untyped] # it ships no types

from tools.simulator.tests.conftest import SEQUENZY, Post
from tools.simulator_process import Simulator

PATH = "/api/v1/transactional/send"


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Any]:
    with httpx.Client(trust_env=False) as http:
        yield sequenzy.Sequenzy(
            api_key="k", base_url=f"{simulator.url}/api/v1", max_retries=0, httpx_client=http
        )


def test_the_sdk_gets_an_id_and_the_log_has_the_email(client, simulator):
    answer = client.transactional.send(
        to="ann@example.com",
        subject="Hello",
        body="<p>Hi</p>",
        from_="Acme <a@acme.co>",
        reply_to="Help <help@acme.co>",
        headers={"List-Unsubscribe": "<https://acme.co/u>"},
        attachments=[
            sequenzy.Attachment(filename="a.txt", content="aGk=", content_type="text/plain")
        ],
        idempotency_key="k-1",
    )
    assert answer.success is True
    assert answer.email_send_id.startswith("es_")
    assert answer.job_id
    assert answer.job_id != answer.email_send_id
    [record] = simulator.accepted()
    assert record["id"] == answer.email_send_id
    assert record["idempotency_key"] == "k-1"
    assert record["from"] == "Acme <a@acme.co>"
    assert record["recipients"] == ["ann@example.com"]
    assert record["reply_to"] == ["help@acme.co"]
    assert record["headers"] == {"List-Unsubscribe": "<https://acme.co/u>"}
    assert record["attachments"] == ["a.txt"]
    assert record["payload"]["body"] == record["html"] == "<p>Hi</p>"


def test_a_repeated_key_gives_the_first_id_and_says_so(client, simulator):
    first = client.transactional.send(**SEQUENZY, idempotency_key="k-1")
    second = client.transactional.send(**SEQUENZY, idempotency_key="k-1")
    assert (first.idempotent_replay, second.idempotent_replay) == (False, True)
    assert (second.email_send_id, second.job_id) == (first.email_send_id, first.job_id)
    assert len(simulator.accepted()) == 1


def test_a_repeated_key_with_other_content_is_a_conflict(client, simulator):
    client.transactional.send(**SEQUENZY, idempotency_key="k-1")
    with pytest.raises(sequenzy.errors.ConflictError) as caught:
        client.transactional.send(**SEQUENZY | {"subject": "Other"}, idempotency_key="k-1")
    assert sequenzy.types.AgentFriendlyError.model_validate(caught.value.body).resolution
    assert len(simulator.accepted()) == 1


def test_a_bad_key_is_unauthorized(simulator):
    with httpx.Client(trust_env=False) as http:
        client = sequenzy.Sequenzy(
            api_key="bad-key", base_url=f"{simulator.url}/api/v1", max_retries=0, httpx_client=http
        )
        with pytest.raises(sequenzy.errors.UnauthorizedError) as caught:
            client.transactional.send(**SEQUENZY)
    assert caught.value.body["error"]["code"]
    assert simulator.accepted() == []


def test_the_sdk_reads_how_long_to_wait_after_a_429(client):
    with pytest.raises(sequenzy.errors.TooManyRequestsError) as caught:
        client.transactional.send(**SEQUENZY | {"to": "429@example.com"})
    assert caught.value.headers["retry-after"] == "1"
    assert caught.value.body["message"]


def test_the_sdk_reads_a_400_a_404_and_a_422(client):
    with pytest.raises(sequenzy.errors.BadRequestError) as bad:
        client.transactional.send(to="nobody", subject="Hello", body="x")
    refusal = sequenzy.types.BadRequestErrorBody.model_validate(bad.value.body)
    assert refusal.issues[0].path == "to[0]"
    with pytest.raises(sequenzy.errors.NotFoundError):
        client.transactional.send(to="ann@example.com", slug="welcome")
    with pytest.raises(sequenzy.core.api_error.ApiError) as wrong_type:
        client.transactional.send(to="422@example.com", subject="Hello", body="x")
    assert wrong_type.value.status_code == 422
    refusal = sequenzy.types.RequestValidationError.model_validate(wrong_type.value.body)
    assert refusal.property == "/to"


def test_the_path_without_api_is_the_same(post: Post):
    assert post("/v1/transactional/send", SEQUENZY).json()["success"] is True


def test_placeholders_are_filled_escaped_or_emptied(client, simulator):
    answer = client.transactional.send(
        to="ann@example.com",
        subject="{{ name }} {{nothing}}!",
        body="{{name}} {{html.name}} {{more}} { {x} }",
        variables={"name": "<b>{{more}}", "idle": 1},
    )
    [record] = simulator.accepted()
    assert record["subject"] == "&lt;b&gt;{{more}} !"
    assert record["html"] == "&lt;b&gt;{{more}} <b>{{more}}  { {x} }"
    assert [item.name for item in answer.diagnostics.missing_required_variables] == [
        "nothing",
        "more",
    ]
    assert [item.name for item in answer.diagnostics.unused_variables] == ["idle"]


def test_repeated_recipients_are_removed(client, simulator):
    answer = client.transactional.send(
        to=["ann@example.com", "Ann@example.com", "bob@example.com"],
        cc=["bob@example.com", "cy@example.com"],
        bcc=["cy@example.com"],
        subject="Hello",
        body="x",
    )
    assert answer.to == ["ann@example.com", "bob@example.com"]
    assert answer.cc == ["cy@example.com"]
    assert answer.bcc is None
    assert len(simulator.accepted()[0]["recipients"]) == 3


def test_an_unverified_sender_is_replaced_without_a_word(client, simulator):
    client.transactional.send(**SEQUENZY, from_="Me <me@unverified.example>")
    assert "unverified" not in simulator.accepted()[0]["from"]


def test_headers_that_cannot_be_applied_are_listed(post: Post, simulator):
    headers: dict[str, Any] = {
        "X-Good": "1",
        "X-GOOD": "2",
        "Bad Name": "1",
        "Subject": "1",
        "X-SES-Thing": "1",
        "X-Lines": "a\nb",
        "X-Number": 1,
    }
    answer = post(PATH, SEQUENZY | {"headers": headers}).json()
    assert {item["name"]: item["reason"] for item in answer["ignoredHeaders"]} == {
        "X-GOOD": "duplicate",
        "Bad Name": "invalid_name",
        "Subject": "reserved",
        "X-SES-Thing": "reserved",
        "X-Lines": "invalid_value",
        "X-Number": "invalid_value",
    }
    assert simulator.accepted()[0]["headers"] == {"X-Good": "1"}
    assert post(PATH, SEQUENZY | {"headers": "x"}).json()["ignoredHeaders"][0]["reason"] == (
        "invalid_headers"
    )
    many = {f"X-{number}": "1" for number in range(51)}
    [ignored] = post(PATH, SEQUENZY | {"headers": many}).json()["ignoredHeaders"]
    assert ignored == {"name": "X-50", "reason": "too_many_headers"}


MANY = [f"a{number}@example.com" for number in range(51)]
FILE = {"filename": "a.txt", "content": "aGk="}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"to": []}, "to"),
        ({"to": ""}, "to[0]"),
        ({"to": "Ann <ann@example.com>"}, "to[0]"),
        ({"to": "a@b"}, "to[0]"),
        ({"to": MANY}, "to"),
        ({"bcc": "x"}, "bcc[0]"),
        ({"subject": ""}, "subject"),
        ({"subject": "a\nBcc: x@example.com"}, "subject"),
        ({"body": ""}, "body"),
        ({"html": "<p>other</p>"}, "html"),
        ({"from": "Acme"}, "from"),
        ({"from": "a@acme.co", "fromEmail": "b@acme.co"}, "fromEmail"),
        ({"replyTo": "a@b.co, c@d.co"}, "replyTo"),
        ({"slug": "welcome"}, "subject"),
        ({"emailType": "marketing", "cc": "b@example.com"}, "emailType"),
        ({"subscriberExternalId": "1", "cc": "b@example.com"}, "subscriberExternalId"),
        ({"subscriberExternalId": "x" * 256}, "subscriberExternalId"),
        ({"trackAs": "a#b"}, "trackAs"),
        ({"attachments": [FILE] * 11}, "attachments"),
        ({"attachments": [FILE | {"content": "a b"}]}, "attachments[0].content"),
        ({"attachments": [FILE | {"path": "https://x.co/a"}]}, "attachments[0]"),
        ({"attachments": [{"content": "aGk="}]}, "attachments[0].filename"),
    ],
)
def test_a_rule_that_is_broken_is_a_400_that_names_the_field(post: Post, simulator, change, path):
    answer = post(PATH, SEQUENZY | change)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert answer.json()["issues"][0]["path"] == path
    assert answer.json()["error"]
    assert simulator.accepted() == []


def test_a_bad_track_name_has_its_code(post: Post):
    assert post(PATH, SEQUENZY | {"trackAs": "a#b"}).json()["code"] == "INVALID_TRACK_AS"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": None}, "to"),
        ({"to": ["a@b.co", 1]}, "to"),
        ({"cc": 1}, "cc"),
        ({"subject": 1}, "subject"),
        ({"body": None}, "body"),
        ({"attachments": "x"}, "attachments"),
        ({"variables": []}, "variables"),
        ({"emailType": "other"}, "emailType"),
    ],
)
def test_a_wrong_type_is_a_422_that_points_at_the_field(post: Post, simulator, change, field):
    answer = post(PATH, SEQUENZY | change)
    body = answer.json()
    assert (answer.status_code, body["type"], body["on"]) == (422, "validation", "body")
    assert body["property"] == f"/{field}"
    assert "success" not in body
    assert simulator.accepted() == []


def test_a_missing_recipient_is_a_422(post: Post):
    assert post(PATH, {"subject": "Hello", "body": "x"}).json()["property"] == "/to"


def test_more_than_15_mb_of_attachments_are_refused(post: Post, simulator):
    half = {"filename": "a.bin", "content": base64.b64encode(bytes(8 * 1024 * 1024)).decode()}
    assert post(PATH, SEQUENZY | {"attachments": [half, half]}).status_code == 400
    assert post(PATH, SEQUENZY | {"attachments": [half]}).status_code == 200


def test_unknown_fields_are_ignored(post: Post):
    assert post(PATH, SEQUENZY | {"text": "plain", "tags": ["x"]}).status_code == 200


def test_the_external_id_is_what_events_give_back(post: Post, simulator):
    post(PATH, SEQUENZY | {"subscriberExternalId": "user-7"})
    assert simulator.accepted()[0]["metadata"] == {"external_id": "user-7"}
