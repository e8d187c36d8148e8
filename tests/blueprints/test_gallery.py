"""The gallery: every sample in every view, what it measures, and sending one to oneself."""

import os
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import ChoiceLoader, DictLoader

import outbox
from blueprints.dev import live_reload
from emails import all_emails
from extensions import db
from outbox import OutboxEmail
from tests.blueprints.test_development_pages import POLICY
from tests.conftest import MakeApp

WELCOME = "emails/welcome.html"


def test_the_gallery_shows_every_sample_of_every_email(client: FlaskClient, app: Flask):
    for email in all_emails().values():
        for sample in email.samples:
            query = {"sample": sample}
            page = client.get("/preview", query_string={"email": email.name} | query)
            html = client.get(f"/preview/{email.name}", query_string=query)
            text = client.get(f"/preview/{email.name}.txt", query_string=query)
            assert (page.status_code, html.status_code, text.status_code) == (200, 200, 200)
            assert page.text.count('class="passed"') == 7
            assert "This sample cannot be composed" not in page.text
            assert html.headers["Content-Security-Policy"] == POLICY
            assert text.mimetype == "text/plain"
            assert "<script>alert" not in page.text
    assert client.get("/preview").status_code == 200


NO_EMAILS = [
    "..", "%2e%2e", "..%2f..%2fconfig", "%2fetc%2fpasswd", "base", "_base", "pages%2fhome",
    "welcome.html", "welcome%00", "{{7*7}}", "WELCOME", "compose", "samples", "welcome%2f",
    "__init__", "welcome.txt.txt",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_EMAILS)
def test_a_preview_is_found_by_name_and_never_by_path(client: FlaskClient, name: str):
    pages = [
        client.get(f"/preview/{name}"),
        client.get(f"/preview/{name}.txt"),
        client.get(f"/preview/{name}.eml"),
        client.post(f"/preview/{name}", data={"email": "ann@example.com"}),
        client.get(f"/preview?email={name}"),
        client.get(f"/preview/welcome?sample={name}"),
    ]
    assert [page.status_code for page in pages] == [404] * 6
    assert "49" not in pages[0].text


@pytest.mark.parametrize("choice", ["view=json", "width=1", "scheme=%00", "sample=nope"])
def test_the_gallery_refuses_a_choice_it_does_not_offer(client: FlaskClient, choice: str):
    assert client.get(f"/preview?{choice}").status_code == 404


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("html", 'data-width="600"'),
        ("text", "Log in:\nhttp://127.0.0.1:5000/login"),
        ("source", "&lt;!DOCTYPE html&gt;"),
        ("headers", "<dt>Message-ID</dt>"),
    ],
)
def test_each_view_shows_its_part(client: FlaskClient, view: str, words: str):
    views = ("html", "text", "source", "headers")
    pages = {each: client.get(f"/preview?email=welcome&view={each}").text for each in views}
    assert [each for each in views if words in pages[each]] == [view]


def test_light_and_dark_do_not_depend_on_the_readers_own_scheme(client: FlaskClient):
    sent = client.get("/preview/welcome").text
    rule = "@media (prefers-color-scheme: dark)"
    assert sent.count(rule) == 1
    assert client.get("/preview/welcome?scheme=dark").text == sent.replace(rule, "@media all")
    assert client.get("/preview/welcome?scheme=light").text == sent.replace(rule, "@media not all")
    assert client.get("/preview/welcome?scheme=blue").text == sent
    assert "scheme=dark&amp;" in client.get("/preview?email=welcome&scheme=dark").text


def test_an_email_can_be_taken_away_as_a_file(make_app: MakeApp):
    client = make_app(FROM_EMAIL="Acme <hello@example.com>").test_client()
    answer = client.get("/preview/contact-notice.eml")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="contact-notice.eml"'
    assert answer.mimetype == "message/rfc822"
    mail = message_from_bytes(answer.data, policy=policy.default)
    assert mail["From"] == "Acme <hello@example.com>"
    assert mail["Reply-To"] == "Ann Lee <ann@example.com>"
    html = mail.get_body(("html",))
    assert html is not None
    assert "do you ship to Norway?" in html.get_content()


def write_template(app: Flask, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """Change the welcome email as somebody does who is at work on it."""
    ours = app.jinja_env.loader
    assert ours is not None
    source, _, _ = ours.get_source(app.jinja_env, WELCOME)
    assert old in source
    changed = DictLoader({WELCOME: source.replace(old, new)})
    monkeypatch.setattr(app.jinja_env, "loader", ChoiceLoader([changed, ours]))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("{% endblock %}", "", "TemplateSyntaxError: Unexpected end of template"),
        ("name", "nickname", "UndefinedError: &#39;nickname&#39; is undefined"),
        ("{{ ui.button(", "{{ ui.knob(", "has no attribute &#39;knob&#39;"),
    ],
)
def test_a_template_that_does_not_work_yet_is_explained_on_the_page(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, old: str, new: str, words: str
):
    write_template(app, monkeypatch, old, new)
    page = client.get("/preview?email=welcome")
    assert page.status_code == 200
    assert "This sample cannot be composed" in page.text
    assert words in page.text
    assert "data-version=" in page.text  # so that the page reloads when it is mended


def test_the_strip_says_what_is_wrong(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    write_template(app, monkeypatch, "Your account is ready", "<a href='/in'>In</a><img src='x'>")
    page = client.get("/preview?email=welcome").text
    assert page.count('class="failed"') == 3
    for words in ("not absolute and https: /in", "without alt or width: x", "lacks the links /in"):
        assert words in page


def test_the_version_changes_when_a_template_is_saved(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    folder = tmp_path / "templates" / "emails"
    folder.mkdir(parents=True)
    (folder / "trial-ends.html").write_text("one")
    monkeypatch.setattr(live_reload, "ROOT", tmp_path)

    def version() -> str:
        return str(client.get("/preview.json").get_json()["version"])

    first = version()
    assert version() == first
    os.utime(folder / "trial-ends.html", ns=(1, 1))
    second = version()
    (folder / "trial-ends.txt").write_text("two")
    assert len({first, second, version()}) == 3
    assert f'data-version="{version()}"' in client.get("/preview").text


def stored(app: Flask) -> list[OutboxEmail]:
    with app.app_context():
        rows = outbox.reading.recent(db.session(), outbox.OutboxEmail)
        return [row for row in rows if row.body]  # read with it, for after the session


def test_a_sample_is_composed_for_and_sent_to_the_address_that_was_typed(
    app: Flask, client: FlaskClient
):
    query = {"sample": "long name", "view": "text", "email": "x", "_scheme": "javascript"}
    answer = client.post("/preview/welcome", query_string=query, data={"email": "bob@example.com"})
    [row] = stored(app)
    assert (row.recipient, row.kind, row.state) == ("bob@example.com", "welcome", "accepted")
    assert "<strong>bob@example.com</strong>" in row.message["html"]
    assert "Wolfeschlegel" in row.message["html"]
    assert answer.status_code == 302
    page = client.get(answer.headers["Location"]).text
    assert "data-width=" not in page  # the view is kept
    assert "On its way to bob@example.com by inbox." in page
    assert f'<a href="/inbox/{row.id}">' in page


@pytest.mark.parametrize("typed", ["", "bob", "bob@example.com, eve@example.com", "a\r\nb@c.de"])
def test_a_sample_goes_to_one_address_or_nowhere(app: Flask, client: FlaskClient, typed: str):
    answer = client.post("/preview/welcome", data={"email": typed})
    assert answer.status_code == 400
    assert 'aria-invalid="true"' in answer.text
    assert stored(app) == []
