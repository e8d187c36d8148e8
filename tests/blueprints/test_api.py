"""The JSON API: what it accepts, how it refuses, who may use it, and that a key means once."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from message import EmailMessage, new_id
from outbox import OutboxEmail
from testing import assert_email_sent
from tests.blueprints.conftest import PRODUCTION, at_once, outbox_rows, stored
from tests.conftest import MakeApp

GOOD = {"email": "ann@example.com", "name": "Ann"}
TOKEN = {"API_TOKEN": "a token of these tests"}
BEARER = {"Authorization": "Bearer a token of these tests"}


@pytest.mark.parametrize("path", ["/api/send", "/api/send-welcome"])
def test_a_send_answers_202_with_the_id_of_the_welcome_email(
    client: FlaskClient, outbox_emails: list[EmailMessage], path: str
):
    answer = client.post(path, json=GOOD)
    assert (answer.status_code, answer.get_json()) == (
        202,
        {"id": outbox_emails[0].id, "status": "queued"},
    )
    assert_email_sent(outbox_emails, to="ann@example.com", subject="Welcome, Ann")


def test_unknown_keys_choose_nothing(client: FlaskClient, outbox_emails: list[EmailMessage]):
    keys = ("from", "from_email", "to", "cc", "html", "text", "subject", "template", "kind",
            "reply_to", "attachments", "headers", "send_at", "website", "csrf_token")  # fmt: skip
    extra: dict[str, Any] = dict.fromkeys(keys, "evil@example.org")
    client.post("/api/send", json=GOOD)
    assert client.post("/api/send", json=GOOD | extra | {"deep": [None, {}]}).status_code == 202
    assert outbox_emails[0] == outbox_emails[1]


JSON = {"content_type": "application/json"}
REFUSALS: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "form data": ({"data": GOOD}, 415, {}),
    "no body": ({}, 415, {}),
    "text": ({"data": '{"email": "a@b.co", "name": "A"}', "content_type": "text/plain"}, 415, {}),
    "half": ({"data": '{"email": ', **JSON}, 400, {}),
    "list": ({"json": [GOOD]}, 400, {}),
    "nothing given": ({"json": {}}, 400, {"name": "required", "email": "required"}),
    "no name": ({"json": {"email": "ann@example.com"}}, 400, {"name": "required"}),
    "null name": ({"json": GOOD | {"name": None}}, 400, {"name": "required"}),
    "blank name": ({"json": GOOD | {"name": " \t "}}, 400, {"name": "required"}),
    "name is a number": ({"json": GOOD | {"name": 5}}, 422, {"name": "must be text"}),
    "email is a list": ({"json": GOOD | {"email": ["a@b.co"]}}, 422, {"email": "must be text"}),
    "both of wrong type": (
        {"json": {"name": {}, "email": True}},
        422,
        {"name": "must be text", "email": "must be text"},
    ),
    "no address": (
        {"json": GOOD | {"email": "ann"}},
        422,
        {"email": "Enter an email address like name@example.com."},
    ),
    "long name": (
        {"json": GOOD | {"name": "n" * 101}},
        422,
        {"name": "Field cannot be longer than 100 characters."},
    ),
    "name of two lines": (
        {"json": GOOD | {"name": "Ann\r\nBcc: all@example.org"}},
        422,
        {"name": "Use one line of ordinary characters."},
    ),
    "too much": ({"json": GOOD | {"more": "x" * 64 * 1024}}, 413, {}),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_json_that_names_the_fields(client: FlaskClient, app: Flask, name: str):
    request, status, fields = REFUSALS[name]
    answer = client.post("/api/send", **request)
    assert answer.status_code == status
    assert answer.is_json
    assert answer.get_json()["error"]
    assert answer.get_json().get("fields", {}) == fields
    assert stored(app, OutboxEmail) == 0


def test_what_is_missing_is_named_as_the_guide_does(client: FlaskClient):
    assert client.post("/api/send", json={}).get_json()["error"] == "name and email required"


def test_wrong_paths_and_methods_are_answered_in_json(client: FlaskClient):
    unknown, wrong = client.get("/api/nothing"), client.get("/api/send")
    assert (unknown.status_code, wrong.status_code) == (404, 405)
    assert unknown.get_json()["error"]
    assert wrong.get_json()["error"]
    assert set(wrong.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


WHO: list[tuple[dict[str, Any], dict[str, str], int]] = [
    ({}, {}, 202),
    (TOKEN, BEARER, 202),
    (TOKEN, {"Authorization": "bearer a token of these tests"}, 202),
    (TOKEN, {}, 401),
    (TOKEN, {"Authorization": "Bearer wrong"}, 401),
    (TOKEN, {"Authorization": "Bearer "}, 401),
    (TOKEN, {"Authorization": "Bearer s3crét"}, 401),
    (TOKEN, {"Authorization": "Basic a token of these tests"}, 401),
    (TOKEN, {"Authorization": "a token of these tests"}, 401),
    (PRODUCTION, {}, 503),
    (PRODUCTION, {"Authorization": "Bearer None"}, 503),
    (PRODUCTION | TOKEN, {}, 401),
    (PRODUCTION | TOKEN, BEARER, 202),
]


@pytest.mark.parametrize(("settings", "headers", "status"), WHO)
def test_the_token_is_demanded_wherever_it_is_set_and_always_in_production(
    make_app: MakeApp,
    outbox_emails: list[EmailMessage],
    settings: dict[str, Any],
    headers: dict[str, str],
    status: int,
):
    client = make_app(**settings).test_client()
    sent = client.post("/api/send", json=GOOD, headers=headers)
    asked = client.get(f"/api/emails/{new_id()}", headers=headers)
    assert sent.status_code == status
    assert asked.status_code == (404 if status == 202 else status)
    assert len(outbox_emails) == (status == 202)


def test_every_401_is_the_same_and_says_how_to_ask(make_app: MakeApp):
    client = make_app(**TOKEN).test_client()
    refused = [
        client.post("/api/send", data=body, headers=headers)
        for body in (b"", b"\xff")
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic é"})
    ]
    assert {(each.status_code, each.data) for each in refused} == {(401, refused[0].data)}
    assert refused[0].headers["WWW-Authenticate"].lower().startswith("bearer")


@pytest.mark.parametrize(
    "again",
    [GOOD, {"name": " Ann ", "email": "ann@EXAMPLE.com", "more": 1}],
    ids=["same body", "same fields"],
)
def test_the_same_key_and_content_is_the_same_email(
    client: FlaskClient, outbox_emails: list[EmailMessage], again: dict[str, Any]
):
    key = {"Idempotency-Key": "order-1"}
    first = client.post("/api/send", json=GOOD, headers=key)
    second = client.post("/api/send", json=again, headers=key)
    assert (second.status_code, second.get_json()["id"]) == (202, first.get_json()["id"])
    assert len(outbox_emails) == 1


def test_the_same_key_with_other_content_is_a_conflict(client: FlaskClient, app: Flask):
    key = {"Idempotency-Key": "order-1"}
    client.post("/api/send", json=GOOD, headers=key)
    answer = client.post("/api/send", json=GOOD | {"name": "Bob"}, headers=key)
    assert answer.status_code == 409
    assert answer.get_json()["fields"].keys() == {"Idempotency-Key"}
    assert stored(app, OutboxEmail) == 1


def test_each_route_and_each_missing_key_is_an_email_of_its_own(client: FlaskClient, app: Flask):
    for path in ("/api/send", "/api/send-welcome"):
        client.post(path, json=GOOD)
        client.post(path, json=GOOD, headers={"Idempotency-Key": "order-1"})
    assert stored(app, OutboxEmail) == 4


@pytest.mark.parametrize("key", ["", "x" * 201, "clé", "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(client: FlaskClient, app: Flask, key: str):
    answer = client.post("/api/send", json=GOOD, headers={"Idempotency-Key": key})
    assert (answer.status_code, list(answer.get_json()["fields"])) == (400, ["Idempotency-Key"])
    assert stored(app, OutboxEmail) == 0


def test_one_key_used_by_many_at_once_is_one_email(
    any_app: Flask, outbox_emails: list[EmailMessage]
):
    key = {"Idempotency-Key": "k" * 200}
    answers = at_once(16, lambda _: any_app.test_client().post("/api/send", json=GOOD, headers=key))
    assert {each.status_code for each in answers} == {202}
    assert len({each.get_json()["id"] for each in answers}) == len(outbox_emails) == 1


def test_an_email_can_be_asked_for_by_its_id(client: FlaskClient):
    email_id = client.post("/api/send", json=GOOD).get_json()["id"]
    body = client.get(f"/api/emails/{email_id}").get_json()
    timeline = body.pop("timeline")
    assert body == {
        "id": email_id,
        "status": "accepted",
        "delivery_status": None,
        "provider": "inbox",
        "marks": [],
        "provider_message_id": f"inbox-{email_id}",
    }
    assert [moment["type"] for moment in timeline] == ["enqueued", "attempt", "accepted"]
    assert all(moment["at"].endswith("Z") for moment in timeline)
    assert client.get(f"/api/emails/{email_id.upper()}").get_json()["id"] == email_id


@pytest.mark.parametrize(
    "email_id",
    [
        "1",
        "%00",
        "..%2f",
        "01a20b69-5169-7945-8e94-673d47fc3a2",
        "01a20b69-5169-7945-8e94-673d47fc3a2c",
        "0" * 32,
    ],
)
def test_an_id_that_is_malformed_or_unknown_is_404(client: FlaskClient, email_id: str):
    answer = client.get(f"/api/emails/{email_id}")
    assert (answer.status_code, answer.is_json) == (404, True)


def test_the_api_neither_reads_nor_sets_a_cookie(client: FlaskClient, app: Flask):
    client.post("/signup", data=GOOD | {"password": "correct horse"})
    client.post("/login", data=GOOD | {"password": "correct horse"})
    assert client.get_cookie("session")
    row = outbox_rows(app)[0]
    answers = [
        client.post("/api/send", json=GOOD),
        client.post("/api/send", json={}),
        client.post("/api/signup", json=GOOD),
        client.post("/api/password-reset", json=GOOD),
        client.post("/api/webhooks/stripe", data=b"{}"),
        client.get(f"/api/emails/{row.id}"),
        client.get("/api/nothing"),
    ]
    # Flask writes `Vary: Cookie` as soon as anything has looked at the session.
    assert [each.headers.get("Vary") for each in answers] == [None] * len(answers)
    assert [each.headers.get("Set-Cookie") for each in answers] == [None] * len(answers)
