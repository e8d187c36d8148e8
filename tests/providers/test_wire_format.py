"""The exact JSON of one message with all fields, and the vendors' traps in it."""

import json
from typing import Any

import pytest

from errors import UnsupportedFeature
from message import Attachment, EmailMessage
from providers.base import Provider
from providers.http import HttpProvider
from tests.providers.samples import ID, MakeProvider, full, new_provider, plain, send
from tools.simulator_process import Simulator

FILE, LOGO = "aGk=", "iVBORw=="  # the attachments of `full`, in base64

SEQUENZY = {
    "to": ["ann@example.com", "ben@example.com"],
    "cc": ["cy@example.com"],
    "bcc": ["dee@example.com"],
    "from": '"Acme, Inc." <a@acme.co>',
    "replyTo": '"Jörg at help" <help@acme.co>',
    "subject": "Grüße für {{open_braces}}name}}: 你好",
    "body": '<p>Grüße, &#123;&#123;name}} &amp; 🎉</p><img src="cid:logo">',
    "variables": {"open_braces": "{{"},
    "headers": {"X-Ref": "r-1", "List-Unsubscribe": "<https://acme.co/u>"},
    "attachments": [
        {"filename": "Übersicht.txt", "content": FILE, "contentType": "text/plain"},
        {
            "filename": "logo.png",
            "content": LOGO,
            "contentType": "image/png",
            "contentId": "logo",
        },
    ],
}
RESEND = {
    "from": '"Acme, Inc." <a@acme.co>',
    "to": ['"Ann Müller" <ann@example.com>', "ben@example.com"],
    "cc": ['"Doe, Cy" <cy@example.com>'],
    "bcc": ["dee@example.com"],
    "reply_to": ['"Jörg at help" <help@acme.co>'],
    "subject": full().subject,
    "html": full().html,
    "text": full().text,
    "headers": {"X-Ref": "r-1", "List-Unsubscribe": "<https://acme.co/u>"},
    "attachments": [
        {"filename": "Übersicht.txt", "content": FILE, "content_type": "text/plain"},
        {
            "filename": "logo.png",
            "content": LOGO,
            "content_type": "image/png",
            "content_id": "logo",
        },
    ],
    "tags": [
        {"name": "welcome", "value": "true"},
        {"name": "spring_sale", "value": "true"},
        {"name": "order", "value": "42"},
        {"name": "plan_name", "value": "Pro__yearly"},
        {"name": "email_id", "value": ID},
    ],
}
SENDGRID = {
    "personalizations": [
        {
            "to": [
                {"email": "ann@example.com", "name": "Ann Müller"},
                {"email": "ben@example.com"},
            ],
            "cc": [{"email": "cy@example.com", "name": "Doe Cy"}],
            "bcc": [{"email": "dee@example.com"}],
            "custom_args": {"order": "42", "plan name": "Pro: yearly", "email_id": ID},
        }
    ],
    "from": {"email": "a@acme.co", "name": "Acme, Inc."},
    "reply_to": {"email": "help@acme.co", "name": "Jörg at help"},
    "subject": full().subject,
    "content": [
        {"type": "text/plain", "value": full().text},
        {"type": "text/html", "value": full().html},
    ],
    "headers": {"X-Ref": "r-1", "List-Unsubscribe": "<https://acme.co/u>"},
    "attachments": [
        {
            "filename": "Übersicht.txt",
            "content": FILE,
            "type": "text/plain",
            "disposition": "attachment",
        },
        {
            "filename": "logo.png",
            "content": LOGO,
            "type": "image/png",
            "disposition": "inline",
            "content_id": "logo",
        },
    ],
    "categories": ["welcome", "spring sale"],
    "mail_settings": {"bypass_unsubscribe_management": {"enable": True}},
}


def build(name: str, message: EmailMessage) -> Any:
    return json.loads(new_provider(name, "http://127.0.0.1:1").build(message, ID).body)


@pytest.mark.parametrize(
    ("name", "path", "headers", "expected"),
    [
        ("sequenzy", "/transactional/send", {"Idempotency-Key": ID}, SEQUENZY),
        ("resend", "/emails", {"Idempotency-Key": ID}, RESEND),
        ("sendgrid", "/v3/mail/send", {}, SENDGRID),
    ],
)
def test_all_fields_as_each_vendor_spells_them(name, path, headers, expected):
    request = new_provider(name, "http://127.0.0.1:1").build(full(), ID)
    assert json.loads(request.body) == expected
    assert (request.path, request.headers) == (path, headers)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("sequenzy", {"to", "from", "subject", "body"}),
        ("resend", {"to", "from", "subject", "html", "text", "tags"}),
        ("sendgrid", {"personalizations", "from", "subject", "content", "mail_settings"}),
    ],
)
def test_what_a_message_does_not_have_is_left_out(name, fields):
    built = build(name, plain())
    assert set(built) == fields
    assert set(built.get("personalizations", [{}])[0]) <= {"to", "custom_args"}


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (plain(html="", text="Hi"), ["text/plain"]),
        (plain(html="<img src='x'>"), ["text/html"]),  # it has no words to make a text of
        (plain(html="<p>Hi</p>"), ["text/plain", "text/html"]),
    ],
)
def test_sendgrid_gets_text_before_html_and_no_empty_part(message, parts):
    content = build("sendgrid", message)["content"]
    assert [part["type"] for part in content] == parts
    assert all(part["value"] for part in content)


def test_sendgrid_gets_several_reply_to_as_a_list_alone(make_provider: MakeProvider, simulator):
    send(make_provider("sendgrid"), plain(reply_to=["a@acme.co", "B, C <b@acme.co>"]), ID)
    [record] = simulator.accepted()
    assert record["reply_to"] == ["a@acme.co", "b@acme.co"]
    assert "reply_to" not in record["payload"]


def test_sendgrid_keeps_only_marketing_from_those_who_unsubscribed():
    assert build("sendgrid", plain())["mail_settings"] == {
        "bypass_unsubscribe_management": {"enable": True}
    }
    assert "mail_settings" not in build("sendgrid", plain(category="marketing"))


@pytest.mark.parametrize(
    ("name", "setting"), [("sequenzy", "trackingSettings"), ("sendgrid", "tracking_settings")]
)
def test_links_of_a_sensitive_message_are_not_tracked(make_provider, simulator, name, setting):
    send(make_provider(name), plain(sensitive=True), ID)
    [record] = simulator.accepted()
    settings = json.dumps(record["payload"][setting])
    assert settings.count("false") >= 2
    assert "true" not in settings


@pytest.mark.parametrize(
    "typed",
    ["{{name}}", "{{{{x}}}}", "{{{x}}}", "{{open_braces}}", "{{html.x}}", "{{ }}", "{{", "{ {x} }"],
)
def test_literal_braces_survive_the_templates_of_sequenzy(make_provider, simulator, typed):
    send(make_provider("sequenzy"), plain(subject=f"Use {typed} & go", html=f"<p>{typed}</p>"), ID)
    send(make_provider("sequenzy"), plain(html="", text=f"{typed} <b>\nline"), "text-only")
    with_html, only_text = simulator.accepted()
    assert with_html["subject"] == f"Use {typed} & go"
    assert with_html["html"].replace("&#123;", "{") == f"<p>{typed}</p>"
    assert only_text["html"].replace("&#123;", "{") == f"{typed} &lt;b&gt;<br>\nline"


def test_one_recipient_of_sequenzy_is_text_and_not_a_list():
    assert build("sequenzy", plain())["to"] == "ann@example.com"


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (plain(reply_to=["a@acme.co", "b@acme.co"]), "1 reply_to"),
        (
            plain(attachments=[Attachment(filename=f"{n}.txt", content=b"x") for n in range(11)]),
            "10 attachments",
        ),
        (plain([f"p{n}@example.com" for n in range(51)]), "50 recipients"),
    ],
)
def test_sequenzy_refuses_what_would_change_the_email(make_provider, simulator, message, what):
    with pytest.raises(UnsupportedFeature, match=f"sequenzy takes at most {what}") as refused:
        send(make_provider("sequenzy"), message, ID)
    assert (refused.value.failover_safe, refused.value.retryable) == (True, False)
    assert simulator.accepted() == []


@pytest.mark.parametrize("name", ["sequenzy", "resend", "sendgrid"])
def test_the_limits_are_not_stricter_than_the_vendors(make_provider, simulator: Simulator, name):
    provider: Provider = make_provider(name)
    limits = provider.capabilities
    files = [Attachment(filename=f"{n}.txt", content=b"x") for n in range(10)]
    replies = [f"r{n}@example.com" for n in range(min(limits.max_reply_to, 2))]
    people = [f"p{n}@example.com" for n in range(limits.max_recipients)]
    send(provider, plain(people, attachments=files, reply_to=replies), ID)
    [record] = simulator.accepted()
    assert (record["to"], len(record["attachments"])) == (people, 10)


@pytest.mark.parametrize("tag", ["a b", "a:b", "ä", "x" * 255, "true"])
def test_resend_accepts_every_tag_once_it_is_cleaned(make_provider, simulator: Simulator, tag):
    send(make_provider("resend"), plain(tags=[tag], metadata={tag: "ö;", "": "x", "e": ""}), ID)
    [record] = simulator.accepted()
    assert len(record["metadata"]) == 2  # our id, and the one name that both have


def test_an_idna_sender_reaches_each_vendor_in_ascii(provider: HttpProvider, simulator):
    send(provider, plain(from_email="Jörg <j@müller.example.com>"), ID)
    [record] = simulator.accepted()
    assert "<j@xn--mller-kva.example.com>" in record["from"]
    assert "Jörg" in record["from"]
