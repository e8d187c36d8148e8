"""SendGrid's dialect: the official SDK is the client, plain JSON where the SDK is too kind."""

import json
import time
from typing import Any

import pytest
from python_http_client.exceptions import (
    BadRequestsError,
    ForbiddenError,
    TooManyRequestsError,
    UnauthorizedError,
)
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import (
    Attachment,
    Bcc,
    Content,
    CustomArg,
    Disposition,
    FileContent,
    FileName,
    FileType,
    Header,
    Mail,
    MailSettings,
    ReplyTo,
    SandBoxMode,
)

from tools.simulator.tests.conftest import SENDGRID, Post
from tools.simulator_process import Simulator

PATH = "/v3/mail/send"


@pytest.fixture
def client(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("no_proxy", "127.0.0.1")  # its urllib obeys proxy variables
    return SendGridAPIClient("SG.key", host=simulator.url)


def mail(to: Any = "ann@example.com", sender: str = "Acme <a@acme.co>") -> Any:
    return Mail(sender, to, "Hello", Content("text/plain", "Hi"), Content("text/html", "<p>Hi</p>"))


def test_the_sdk_gets_a_202_an_empty_body_and_an_id(client, simulator):
    message = mail()
    message.reply_to = ReplyTo("help@acme.co")
    message.add_bcc(Bcc("dee@example.com"))
    message.add_custom_arg(CustomArg("email_id", "our-id"))
    message.add_header(Header("X-A", "1"))
    message.attachment = Attachment(
        FileContent("aGk="), FileName("a.txt"), FileType("text/plain"), Disposition("attachment")
    )
    answer = client.send(message)
    assert (answer.status_code, answer.body) == (202, b"")
    assert answer.headers["Content-Length"] == "0"
    [record] = simulator.accepted()
    assert record["id"] == answer.headers["X-Message-Id"]
    assert record["from"] == "Acme <a@acme.co>"
    assert record["recipients"] == ["ann@example.com", "dee@example.com"]
    assert record["reply_to"] == ["help@acme.co"]
    assert record["metadata"] == {"email_id": "our-id"}
    assert record["headers"] == {"X-A": "1"}
    assert (record["text"], record["html"]) == ("Hi", "<p>Hi</p>")
    assert record["attachments"] == ["a.txt"]


def test_every_request_is_a_new_email_whatever_its_key(post: Post, simulator):
    ids = {post(PATH, SENDGRID, Idempotency_Key="k-1").headers["X-Message-Id"] for _ in range(2)}
    assert len(ids) == len(simulator.accepted()) == 2


def test_each_personalization_is_an_email_under_one_id(post: Post, simulator):
    people = [
        {"to": [{"email": "ann@example.com"}], "custom_args": {"n": "1"}},
        {"to": [{"email": "bob@example.com"}], "subject": "For Bob"},
    ]
    payload = SENDGRID | {"personalizations": people, "custom_args": {"n": "0", "m": "0"}}
    answer = post(PATH, payload)
    ann, bob = simulator.accepted()
    assert ann["id"] == bob["id"] == answer.headers["X-Message-Id"]
    assert (ann["subject"], bob["subject"]) == ("Hello", "For Bob")
    assert (ann["metadata"], bob["metadata"]) == ({"n": "1", "m": "0"}, {"n": "0", "m": "0"})
    assert bob["payload"] == payload | {"personalizations": people[1:]}


def test_sandbox_mode_answers_200_and_sends_nothing(client, simulator):
    message = mail()
    message.mail_settings = MailSettings(sandbox_mode=SandBoxMode(True))
    assert client.send(message).status_code == 200
    assert simulator.accepted() == []


def test_sandbox_mode_validates(post: Post):
    sandbox = {"mail_settings": {"sandbox_mode": {"enable": True}}}
    assert post(PATH, SENDGRID | sandbox | {"subject": ""}).status_code == 400


@pytest.mark.parametrize(("key", "field"), [("bad-key", None), ("", None)])
def test_a_bad_or_missing_key_is_a_401(post: Post, simulator, key, field):
    answer = post(PATH, SENDGRID, Authorization=f"Bearer {key}")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["field"] is field
    assert simulator.accepted() == []


def test_the_sdk_reads_the_errors(client, simulator):
    with pytest.raises(BadRequestsError) as bad:
        client.send(mail(to="ann@localhost"))
    [error] = bad.value.to_dict["errors"]
    assert error["field"] == "personalizations.0.to.0.email"
    assert error["message"]
    assert set(error) == {"message", "field", "help"}
    with pytest.raises(ForbiddenError):
        client.send(mail(sender="me@unverified.example"))
    with pytest.raises(UnauthorizedError):
        client.send(mail(to="401@example.com"))
    with pytest.raises(UnauthorizedError) as quota:
        client.send(mail(to="quota@example.com"))
    assert "Maximum credits exceeded" in json.dumps(quota.value.to_dict)
    assert simulator.accepted() == []


def test_a_429_gives_the_moment_of_the_reset(client):
    with pytest.raises(TooManyRequestsError) as caught:
        client.send(mail(to="429@example.com"))
    assert int(caught.value.headers["X-RateLimit-Reset"]) == pytest.approx(time.time(), abs=60)
    assert caught.value.headers["X-RateLimit-Remaining"] == "0"


def people(*addresses: str, **more: Any) -> dict[str, Any]:
    return {
        "personalizations": [{"to": [{"email": address} for address in addresses], **more}],
    }


PLAIN, HTML = SENDGRID["content"]
FILE = {"content": "aGk=", "filename": "a.txt"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"personalizations": None}, "personalizations"),
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{}]}, "personalizations.0.to"),
        ({"personalizations": ["x"]}, "personalizations.0"),
        (people("x"), "personalizations.0.to.0.email"),
        (people("a@b.co", cc=[]), "personalizations.0.cc"),
        (people("a@b.co", "A@b.co"), "personalizations.0"),
        (people("a@b.co", bcc=[{"email": "a@b.co"}]), "personalizations.0"),
        (people("a@b.co", cc=[{"email": "c@b.co", "name": "a;b"}]), "personalizations.0.cc.0.name"),
        (people("a@b.co", subject=""), "personalizations.0.subject"),
        (people("a@b.co", headers={"X-A": 1}), "personalizations.0.headers"),
        (people(*(f"a{n}@b.co" for n in range(1001))), "personalizations"),
        ({"from": None}, "from.email"),
        ({"from": "a@acme.co"}, "from.email"),
        ({"from": {"email": "Your App <a@acme.co>"}}, "from.email"),
        ({"from": {"email": "ä@acme.co"}}, "from.email"),
        ({"reply_to": {"email": "x"}}, "reply_to.email"),
        ({"reply_to": {"email": "r@b.co"}, "reply_to_list": [{"email": "r@b.co"}]}, "reply_to"),
        ({"subject": ""}, "subject"),
        ({"subject": "a\nBcc: x@example.com"}, "subject"),
        ({"content": []}, "content"),
        ({"content": [HTML, PLAIN]}, "content"),
        ({"content": [PLAIN | {"value": ""}, HTML]}, "content.0.value"),
        ({"content": [{"value": "x"}]}, "content.0.type"),
        ({"attachments": [FILE | {"content": "aG\nk="}]}, "attachments.0.content"),
        ({"attachments": [FILE | {"filename": ""}]}, "attachments.0.filename"),
        ({"attachments": [FILE | {"disposition": "x"}]}, "attachments.0.disposition"),
        ({"categories": ["x", "x"]}, "categories"),
        ({"categories": [f"c{n}" for n in range(11)]}, "categories"),
        ({"headers": {"Reply-To": "x"}}, "headers"),
        ({"custom_args": {"n": "x" * 10_000}}, "custom_args"),
        ({"custom_args": {"n": 1}}, None),
        (people("a@b.co", custom_args={"n": 1}), None),
        ({"send_at": int(time.time()) + 73 * 3600}, "send_at"),
        ({"send_at": int(time.time() * 1000)}, "send_at"),
        ({"send_at": "tomorrow"}, "send_at"),
    ],
)
def test_a_rule_that_is_broken_is_a_400_with_the_path(post: Post, simulator, change, field):
    answer = post(PATH, SENDGRID | change)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert simulator.accepted() == []


def test_a_missing_subject_may_stand_in_every_personalization(post: Post):
    bare = {name: value for name, value in SENDGRID.items() if name != "subject"}
    assert post(PATH, bare).json()["errors"][0]["field"] == "subject"
    assert post(PATH, bare | people("a@b.co", subject="Hello")).status_code == 202


def test_several_mistakes_are_told_at_once(post: Post):
    answer = post(PATH, SENDGRID | {"subject": "", "from": {"email": "x"}})
    assert {error["field"] for error in answer.json()["errors"]} == {"subject", "from.email"}


def test_more_than_30_mb_are_a_413(post: Post, simulator):
    assert post(PATH, SENDGRID | {"unknown": "x" * (30 * 1024 * 1024)}).status_code == 413
    assert simulator.accepted() == []
