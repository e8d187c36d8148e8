"""Home and inbox: what a developer sees, and that production has neither these nor the gallery."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from background import send_in_background
from extensions import db
from message import Attachment, EmailMessage
from tests.blueprints.conftest import PRODUCTION
from tests.conftest import MakeApp

UNKNOWN = "01a20b69-5169-7945-8e94-673d47fc3a2c"  # an id of nobody; the same in every process

POLICY = (
    "default-src 'none'; img-src https: data: 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
PNG = b"\x89PNG\r\n\x1a\n"


def send(app: Flask, **fields: Any) -> str:
    """Send an email through the outbox; its id."""
    basic = {"to": "ann@example.com", "subject": "Hi", "html": "<p>Hi</p>"}
    with app.app_context():
        email_id = send_in_background(EmailMessage(**{**basic, **fields})).id
        db.session.commit()
    return email_id


def test_the_first_page_says_what_to_try_and_every_link_on_it_works(client: FlaskClient):
    page = client.get("/").text
    assert "curl -X POST http://127.0.0.1:5000/api/send" in page
    links = set(re.findall(r'(?:href|src)="(/[^"#]*)"', page))
    assert {"/signup", "/inbox", "/preview", "/contact"} <= links
    assert {path: client.get(path, buffered=True).status_code for path in links} == dict.fromkeys(
        links, 200
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("EMAIL_REDIRECT_TO", "Every email goes to qa@example.com (EMAIL_REDIRECT_TO)."),
        ("EMAIL_ALLOWED", "Emails go to qa@example.com alone (EMAIL_ALLOWED)."),
    ],
)
def test_a_banner_says_whom_emails_reach_at_all(make_app: MakeApp, setting: str, words: str):
    for path in ("/inbox", "/preview"):
        assert words in make_app(**{setting: "qa@example.com"}).test_client().get(path).text
        assert setting not in make_app().test_client().get(path).text


@pytest.mark.parametrize(
    "path",
    ["/inbox", "/inbox.json", f"/inbox/{UNKNOWN}", f"/inbox/{UNKNOWN}/body",
     f"/inbox/{UNKNOWN}/attachments/0", "/preview", "/preview.json", "/preview/welcome",
     "/preview/welcome.txt", "/preview/welcome.eml"],
)  # fmt: skip
def test_production_has_neither_inbox_nor_gallery(make_app: MakeApp, path: str):
    assert make_app(**PRODUCTION).test_client().get(path).status_code == 404


STRANGERS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "another machine": ({"REMOTE_ADDR": "203.0.113.7"}, {}),
    "another machine of IPv6": ({"REMOTE_ADDR": "2001:db8::1"}, {}),
    "a Unix socket": ({"REMOTE_ADDR": ""}, {}),
    "a proxy here": ({}, {"X-Forwarded-For": "203.0.113.7"}),
    "a proxy that says loopback": ({}, {"X-Forwarded-For": "127.0.0.1"}),
    "a proxy that names the host": ({}, {"X-Forwarded-Host": "localhost"}),
    "a standard proxy": ({}, {"Forwarded": "for=127.0.0.1"}),
    "a gateway": ({}, {"Via": "1.1 gateway"}),
    "nginx as in many tutorials": ({}, {"X-Real-IP": "203.0.113.7"}),
    "a tunnel": ({}, {"CF-Connecting-IP": "203.0.113.7"}),
    "a tunnel whose headers the server took away": ({}, {"Host": "shop.example.com"}),
}
PAGES = ("/inbox", "/inbox.json", f"/inbox/{UNKNOWN}", "/preview", "/preview/welcome")


@pytest.mark.parametrize("proxies", [0, 1])
def test_for_whoever_comes_from_elsewhere_they_are_as_absent_as_anything_else(
    make_app: MakeApp, proxies: int
):
    client = make_app(
        APP_URL="https://shop.example.com", TRUSTED_PROXIES=proxies, WTF_CSRF_ENABLED=True
    ).test_client()
    for who, (peer, headers) in STRANGERS.items():
        seen = {
            path: client.get(path, environ_overrides=peer, headers=headers)
            for path in ("/nothing", *PAGES)
        }
        absent = seen["/nothing"]
        for path, answer in seen.items():
            assert (who, path, answer.status_code) == (who, path, 404)
            assert (answer.data, answer.headers) == (absent.data, absent.headers)
        sent = client.post("/preview/welcome", environ_overrides=peer, headers=headers)
        assert (who, sent.status_code) == (who, 404)
        home = client.get("/", environ_overrides=peer, headers=headers).text
        assert (who, "/inbox" in home, "curl" in home) == (who, False, False)


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1"])
def test_on_the_machine_itself_they_are_there(client: FlaskClient, peer: str, host: str):
    for path in ("/inbox", "/preview/welcome"):
        answer = client.get(path, environ_overrides={"REMOTE_ADDR": peer}, headers={"Host": host})
        assert (path, answer.status_code) == (path, 200)


def test_development_at_a_public_address_is_warned_of(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
):
    make_app(APP_URL="http://localhost:5000")
    make_app(**{**PRODUCTION, "APP_URL": "https://shop.example.com"})
    assert "FLASK_DEBUG" not in caplog.text
    make_app(APP_URL="https://shop.example.com")
    assert "FLASK_DEBUG=1 and APP_URL=https://shop.example.com" in caplog.text


def test_production_greets_and_links_to_nothing_that_is_not_there(make_app: MakeApp):
    client = make_app(**PRODUCTION).test_client()
    page = client.get("/").text
    assert "curl" not in page
    links = set(re.findall(r'href="(/[^"#]*)"', page))
    assert {path: client.get(path, buffered=True).status_code for path in links} == dict.fromkeys(
        links, 200
    )


def test_the_inbox_lists_the_newest_first_as_page_and_as_json(client: FlaskClient, app: Flask):
    ids = [send(app, subject=f"Number {n}", to=f"Ann <a{n}@example.com>") for n in range(3)]
    listed = client.get("/inbox.json").get_json()["emails"]
    assert [each["id"] for each in listed] == ids[::-1]
    created_at = listed[0].pop("created_at")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created_at)
    assert listed[0] == {
        "id": ids[2],
        "to": "Ann <a2@example.com>",
        "subject": "Number 2",
        "kind": "",
        "state": "accepted",
        "became": [],
        "provider": "inbox",
        "url": f"/inbox/{ids[2]}",
    }
    assert re.findall(r'data-id="([^"]+)"', client.get("/inbox").text) == ids[::-1]


SEARCHES = [
    ("sale", {"100% Sale", "Resale_now"}),
    ("100%", {"100% Sale"}),
    ("%", {"100% Sale"}),
    ("_", {"Resale_now"}),
    ("BOB@", {"Other"}),
    ("  other  ", {"Other"}),
    ("\\", set()),
    ("' OR 1=1 --", set()),
    ("", {"100% Sale", "Resale_now", "Other"}),
]


@pytest.mark.parametrize(("query", "subjects"), SEARCHES)
def test_the_inbox_finds_by_recipient_and_subject(
    client: FlaskClient, app: Flask, query: str, subjects: set[str]
):
    send(app, subject="100% Sale")
    send(app, subject="Resale_now")
    send(app, subject="Other", to="bob@example.com")
    found = client.get("/inbox.json", query_string={"q": query}).get_json()["emails"]
    assert {each["subject"] for each in found} == subjects


def test_one_email_is_shown_with_its_parts_and_escaped(client: FlaskClient, app: Flask):
    email_id = send(
        app,
        to=["Ann <ann@example.com>", "bob@example.com"],
        bcc="boss@example.com",
        reply_to="help@example.com",
        subject="<i>Hi</i>",
        html="<p>Hello in HTML</p>",
        text="Hello in <text>",
        headers={"X-Order": "<42>"},
        attachments=[Attachment(filename="<a>.txt", content=b"12345")],
    )
    page = client.get(f"/inbox/{email_id}").text
    for word in (
        "&lt;i&gt;Hi&lt;/i&gt;", "Hello in &lt;text&gt;", "&lt;42&gt;", "&lt;a&gt;.txt", "5 Bytes",
        "Ann &lt;ann@example.com&gt;, bob@example.com", "boss@example.com", "help@example.com",
        "accepted", f'src="/inbox/{email_id}/body"', 'sandbox="allow-popups',
    ):  # fmt: skip
        assert word in page
    assert "<i>" not in page
    assert client.get(f"/inbox/{email_id.upper()}").status_code == 200


DOCUMENTS = [
    ("<p>Hi</p>", '<base target="_blank"><p>Hi</p>'),
    ("", '<base target="_blank">'),
    (
        "<!doctype html><html><head><title>x</title></head><body>",
        '<!doctype html><html><head><base target="_blank"><title>x</title></head><body>',
    ),
    (
        '<!DOCTYPE html><HTML><HEAD lang="en">\n</HEAD>',
        '<!DOCTYPE html><HTML><HEAD lang="en"><base target="_blank">\n</HEAD>',
    ),
    ("<header>Hi</header>", '<base target="_blank"><header>Hi</header>'),
]


@pytest.mark.parametrize(("html", "shown"), DOCUMENTS)
def test_a_body_is_shown_as_sent_in_a_sandbox_with_links_that_leave_it(
    client: FlaskClient, app: Flask, html: str, shown: str
):
    answer = client.get(f"/inbox/{send(app, html=html, text='text')}/body")
    assert answer.text == shown
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.mimetype == "text/html"


def test_pictures_of_the_body_are_shown_and_other_files_downloaded(client: FlaskClient, app: Flask):
    files = [
        Attachment(filename="logo.png", content=PNG, content_type="image/png", content_id="logo"),
        Attachment(
            filename="2.png", content=PNG + b"2", content_type="image/png", content_id="logo2"
        ),
        Attachment(filename='é 中".html', content=b"<script>", content_type="text/html"),
        Attachment(filename="x.html", content=b"<b>", content_type="text/html", content_id="page"),
    ]
    html = '<img src="cid:logo2"><img src="cid:logo"><img src="cid:none"> cid:'
    email_id = send(app, html=html, attachments=files)
    path = f"/inbox/{email_id}/attachments"
    body = client.get(f"/inbox/{email_id}/body").text
    assert body.endswith(f'<img src="{path}/1"><img src="{path}/0"><img src="cid:none"> cid:')
    for index, file in enumerate(files):
        answer = client.get(f"{path}/{index}")
        assert (answer.data, answer.mimetype) == (file.content, file.content_type)
        kind = "inline" if file.content_type == "image/png" else "attachment"
        assert answer.headers["Content-Disposition"].startswith(f"{kind}; filename")
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        # Without it a browser shows no picture in a sandboxed frame, whose origin is nobody's.
        assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    name = client.get(f"{path}/2").headers["Content-Disposition"]
    assert "filename*=UTF-8''%C3%A9%20%E4%B8%AD%22.html" in name
    for wrong in ("4", "-1", "x", "9" * 30):
        assert client.get(f"{path}/{wrong}").status_code == 404


@pytest.mark.parametrize("wrong", ["1", "..", "%2e%2e", "None", UNKNOWN, "0" * 32, "feed", "'"])
@pytest.mark.parametrize("tail", ["", "/body", "/attachments/0"])
def test_a_wrong_id_is_404(client: FlaskClient, wrong: str, tail: str):
    assert client.get(f"/inbox/{wrong}{tail}").status_code == 404
