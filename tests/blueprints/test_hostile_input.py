"""Input nobody sends by accident, on both databases: never a 5xx, and nothing is stored."""

import io
import json
import shutil
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from extensions import db
from models import Signup, User
from outbox import OutboxEmail
from tests.blueprints.conftest import add_user, serving, stored
from tools.servers import PostgreSQL

JSON_ROUTES = ("/api/send", "/api/send-welcome", "/api/signup", "/api/password-reset")
PAGES = ("/signup", "/login", "/forgot-password", "/contact")
NUL, HALF, SEPARATOR = "\0", "\ud800", "\u2028"

MALFORMED = {
    "empty": b"",
    "half an object": b'{"email": "a@b.co"',
    "two objects": b"{} {}",
    "list": b'["a@b.co"]',
    "text": b'"a@b.co"',
    "null": b"null",
    "number": b"1",
    "true": b"true",
    "NaN": b"NaN",
    "1e400": b"1e400",
    "deep list": b"[" * 60_000,
    "deep object": b'{"email":' * 7_000,
    "deep and closed": b'{"email":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "5,000 digits": b'{"email": "a@b.co", "name": ' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"email": "a@b.co", "name": "\xff"}',
    "raw NUL": b'{"email": "a@b.co", "name": "A\x00"}',
    "raw line break": b'{"email": "a@b.co", "name": "A\n"}',
    "gzip": b"\x1f\x8b\x08\x00",
}
# As JSON texts, so that what only JSON can spell is spelt here.
WRONG_TYPES = ["1", "1.5", "true", "NaN", "1e400", "-Infinity", "[]", '["a@b.co"]', "{}", "[[]]"]
BAD_EMAILS = [
    "a", "@", "a@b", "a@@b.co", "a@b.co, c@d.co", "a@b.co;c@d.co", "a@b.co\nBcc: c@d.co",
    f"a{NUL}@b.co", f"a@b.co{NUL}", f"a{HALF}@b.co", f"a@b{SEPARATOR}.co",
    "Ann <a@b.co>", "<a@b.co>", '"a b"@b.co', "a@[127.0.0.1]", "ä@b.co",
    f"a@{'b' * 320}.co", "a" * 60_000, "a@b.co?cc=c@d.co",
]  # fmt: skip
BAD_TEXTS = [f"A{NUL}", f"A{HALF}", f"A{SEPARATOR}B", "A\x85B", "A\x1b[31m"]
BAD_NAMES = [*BAD_TEXTS, "A\nB", "A" * 101, "A" * 60_000]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def app(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """One app on each database for all of these tests, which store nothing."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("hostile") / "app.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield from _serve(f"sqlite:///{path}")
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        with server.database() as url:
            yield from _serve(url)


def _serve(url: str) -> Iterator[Flask]:
    # A mistake of ours is a 500 here as in production, where TESTING would raise.
    for app in serving(url, PROPAGATE_EXCEPTIONS=False):
        add_user(app, "known@example.com", "Known")
        yield app


@pytest.fixture
def client(app: Flask) -> Iterator[FlaskClient]:
    tables = (Signup, User, OutboxEmail)
    before = [stored(app, table) for table in tables]
    yield app.test_client()
    assert [stored(app, table) for table in tables] == before


@pytest.mark.parametrize("name", MALFORMED)
def test_a_body_that_is_no_json_object_is_400(client: FlaskClient, name: str):
    for path in JSON_ROUTES:
        answer = client.post(path, data=MALFORMED[name], content_type="application/json")
        assert (path, answer.status_code, answer.is_json) == (path, 400, True)


@pytest.mark.parametrize("field", ["email", "name"])
def test_a_value_of_another_type_is_422(client: FlaskClient, field: str):
    for value in WRONG_TYPES:
        for path in JSON_ROUTES if field == "email" else ["/api/signup"]:
            body = f'{{"email": "a@b.co", "name": "A", "{field}": {value}}}'
            answer = client.post(path, data=body, content_type="application/json")
            assert (path, value, answer.status_code) == (path, value, 422)
            assert answer.get_json()["fields"] == {field: "must be text"}


BAD_VALUES = [
    ("email", BAD_EMAILS, JSON_ROUTES),
    ("name", BAD_NAMES, JSON_ROUTES[:3]),
]


@pytest.mark.parametrize(("field", "values", "paths"), BAD_VALUES, ids=["email", "name"])
def test_a_value_that_cannot_be_used_is_422(
    client: FlaskClient, field: str, values: list[str], paths: list[str]
):
    for value in values:
        for path in paths:
            answer = client.post(path, json={"email": "a@b.co", "name": "A", field: value})
            assert (path, value[:50], answer.status_code) == (path, value[:50], 422)
            assert list(answer.get_json()["fields"]) == [field]


@pytest.mark.parametrize("path", [*JSON_ROUTES, "/api/webhooks/stripe"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length given", "chunked"])
def test_a_body_without_end_is_413(client: FlaskClient, path: str, chunked: bool):
    body = io.BytesIO(b'{"email": "' + b"a" * 2_000_000)
    # A server that takes chunked bodies says so with `input_terminated`, and sends no length.
    how = {"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": "2000011"}
    answer = client.post(
        path, input_stream=body, content_type="application/json", environ_overrides=how
    )
    assert (answer.status_code, answer.is_json) == (413, True)
    if chunked:
        accepted = 1024 * 1024 if "webhooks" in path else 64 * 1024
        assert body.tell() < accepted * 1.5, "more was read than is accepted"


PAGE_BODIES = {
    "json list": (b"[1, 2]", "application/json"),
    "json object": (b'{"email": "a@b.co", "name": "A"}', "application/json"),
    "bad UTF-8": (b"email=%ff&name=%ff&password=%ff&message=%ff", None),
    "NUL": (b"email=a%00@b.co&name=A%00&password=%00%00%00%00%00%00%00%00&message=%00", None),
    "halves": (b"email=%ed%a0%80&name=%ed%a0%80&password=%ed%a0%80&message=%ed%a0%80", None),
    "line breaks": (b"email=a@b.co%0aBcc:c@d.co&name=A%0d%0aB&password=long+enough", None),
    "many": (b"email=a&" * 5_000, None),
    "multipart without parts": (b"--x--", "multipart/form-data; boundary=x"),
    "multipart without boundary": (b"email", "multipart/form-data"),
    "file for text": (
        b'--x\r\nContent-Disposition: form-data; name="email"; filename="e"\r\n\r\na\r\n--x--',
        "multipart/form-data; boundary=x",
    ),
    "huge": (b"message=" + b"a" * 2_000_000, None),
}


@pytest.mark.parametrize("name", PAGE_BODIES)
def test_a_page_refuses_what_no_browser_sends(client: FlaskClient, name: str):
    body, kind = PAGE_BODIES[name]
    for path in PAGES:
        answer = client.post(
            path, data=body, content_type=kind or "application/x-www-form-urlencoded"
        )
        assert answer.mimetype == "text/html"
        assert (path, answer.status_code in (400, 413)) == (path, True)


STRANGE = ["\0", "\x1b", "%", "_", "\\", "'", '"', "{{7*7}}", "\u2028", "💌", "a" * 4000, "\udcff"]


@pytest.mark.parametrize(
    "path",
    ["/inbox?q=", "/inbox.json?q=", "/login?next=", "/reset-password?token=", "/preview?email=",
     "/preview?sample=", "/inbox/", "/preview/", "/api/emails/", "/", "/static/"],
)  # fmt: skip
def test_strange_addresses_are_no_error_of_ours(client: FlaskClient, path: str):
    for value in STRANGE:
        answer = client.get(path + quote(value, errors="surrogateescape"))
        assert (value[:9], answer.status_code in (200, 400, 404)) == (value[:9], True)


@pytest.mark.parametrize("host", ["evil.example", "a b", "localhost:port", "", "127.0.0.1.evil.co"])
@pytest.mark.parametrize("path", ["/", "/api/send", "/nothing"])
def test_a_host_that_is_not_ours_is_400(client: FlaskClient, host: str, path: str):
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.is_json == path.startswith("/api/")
    assert "evil" not in answer.text


def test_what_is_stored_of_strange_but_good_input_is_what_was_typed(
    app: Flask, client: FlaskClient
):
    name = "Zoë 💌 {{7*7}} <b>'\"\\%_"
    with app.test_request_context():
        body = json.dumps({"email": "a@xn--bcher-kva.example", "name": name})
    answer = client.post("/api/signup", data=body.encode(), content_type="application/json")
    assert answer.status_code == 201
    with app.app_context():
        waiting = db.session.query(Signup).one()
        assert (waiting.email, waiting.name) == ("a@xn--bcher-kva.example", name)
        db.session.delete(waiting)
        db.session.query(OutboxEmail).delete()
        db.session.commit()
