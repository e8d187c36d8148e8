"""The simulator's own routes and the HTTP around them."""

import ast
import socket
import sys
from urllib.parse import urlsplit

import pytest
import requests

from tools.simulator.tests.conftest import RESEND, SENDGRID, SEQUENZY, Post, resend_to
from tools.simulator_process import ROOT


@pytest.fixture
def get(simulator, session):
    return lambda path: session.get(simulator.url + path, timeout=10)


def test_the_page_shows_what_was_accepted_newest_first(post: Post, get):
    assert "Nothing accepted yet" in get("/").text
    post("/emails", RESEND | {"subject": "First"})
    post("/v3/mail/send", SENDGRID | {"subject": "Second"})
    page = get("/").text
    assert page.index("Second") < page.index("First")
    assert "2 accepted" in page
    assert "ann@example.com" in page


def test_the_page_filters_by_provider(post: Post, get):
    post("/emails", RESEND | {"subject": "Mine"})
    post("/v3/mail/send", SENDGRID | {"subject": "Other"})
    page = get("/?provider=resend").text
    assert "Mine" in page
    assert "Other" not in page
    assert '<a href="/?provider=resend" aria-current=page>' in page


def test_the_page_tells_a_scheduled_email_from_an_accepted_one(post: Post, get):
    post("/emails", RESEND)
    assert 'class="state">accepted' in get("/").text
    post("/emails", RESEND | {"scheduled_at": "2026-12-01T10:00:00Z"})
    assert 'class="state">scheduled' in get("/").text


def test_the_page_escapes_everything_and_allows_no_script(post: Post, get):
    evil = '<script>alert(1)</script>"'
    post(
        "/emails",
        RESEND
        | {"subject": evil, "html": evil, "from": '"<script>x" <a@b.co>', "headers": {evil: evil}},
        Idempotency_Key=evil,
    )
    post("/emails", {**RESEND, "html": "", "text": evil})
    answer = get("/")
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<iframe sandbox " in answer.text
    assert "<script" not in get('/?provider="><script>').text


def test_the_page_goes_back_50_emails_at_a_time(post: Post, get):
    for _ in range(6):
        post("/emails/batch", [RESEND] * 10)
    page = get("/").text
    assert page.count("<details>") == 50
    assert "before=11" in page
    older = get("/?provider=&before=11").text
    assert older.count("<details>") == 10
    assert "Older" not in older


def test_a_lone_surrogate_does_not_break_the_page(simulator, session, get):
    body = '{"from": "a@b.co", "to": "c@d.co", "subject": "\\ud800", "text": "x"}'
    assert session.post(f"{simulator.url}/emails", data=body, timeout=10).status_code == 200
    assert get("/").status_code == 200


OTHER_SITES = {
    "a name that leads to loopback": {"Host": "evil.example"},
    "with the port": {"Host": "evil.example:8025"},
    "a name like ours": {"Host": "localhost.evil.example"},
    "no name": {"Host": ""},
    "a page that posts": {"Origin": "https://evil.example"},
    "a page of another port": {"Origin": "http://127.0.0.1:3000"},
    "a page in a sandbox": {"Origin": "null"},
}


@pytest.mark.parametrize("who", OTHER_SITES)
def test_a_page_of_another_site_learns_and_changes_nothing(
    simulator, post: Post, session, who: str
):
    post("/emails", RESEND)
    for method, path in [
        ("GET", "/"), ("GET", "/log.json"), ("GET", "/webhooks.json"), ("DELETE", "/log"),
        ("POST", "/webhooks/replay"), ("POST", "/emails"), ("POST", "/v3/mail/send"),
    ]:  # fmt: skip
        answer = session.request(
            method, simulator.url + path, headers=OTHER_SITES[who], json=RESEND, timeout=10
        )
        assert (method, path, answer.status_code) == (method, path, 403)
        assert "ann@example.com" not in answer.text
    assert len(simulator.accepted()) == 1


def test_its_own_page_and_programs_under_any_of_its_addresses_are_served(simulator, session):
    port = urlsplit(simulator.url).port
    for headers in (
        {"Host": f"localhost:{port}"}, {"Host": "[::1]"}, {"Host": "10.0.0.7:8025"},
        {"Origin": simulator.url},
    ):  # fmt: skip
        assert session.get(f"{simulator.url}/log.json", headers=headers, timeout=10).ok


def test_the_log_is_json_and_can_be_narrowed(post: Post, get):
    post("/emails", RESEND)
    post("/emails", RESEND | {"cc": "Bob <BOB@example.com>"})
    post("/api/v1/transactional/send", SEQUENZY)
    assert [record["seq"] for record in get("/log.json").json()] == [1, 2, 3]
    assert [record["seq"] for record in get("/log.json?since=1").json()] == [2, 3]
    assert [record["seq"] for record in get("/log.json?recipient=bob@Example.com").json()] == [2]
    assert [record["seq"] for record in get("/log.json?provider=sequenzy").json()] == [3]
    assert get("/log.json?since=x").status_code == 200


def test_clearing_forgets_emails_keys_and_tries(post: Post, simulator):
    first = post("/emails", RESEND, Idempotency_Key="k-1").json()["id"]
    assert post(*resend_to("500-1@example.com")).status_code == 500
    simulator.clear()
    assert simulator.accepted() == []
    assert simulator.log.read_bytes() == b""
    assert post("/emails", RESEND, Idempotency_Key="k-1").json()["id"] != first
    assert post(*resend_to("500-1@example.com")).status_code == 500


@pytest.mark.parametrize("path", ["/emails/other", "/api/v1/other", "/v3/other", "/other"])
def test_an_unknown_path_is_a_404_in_json(post: Post, path):
    answer = post(path, {})
    assert answer.status_code == 404
    assert answer.json()


@pytest.mark.parametrize("path", ["/emails", "/v1/transactional/send", "/v3/mail/send"])
def test_a_known_path_with_another_method_is_a_405(get, path):
    assert get(path).status_code == 405


@pytest.mark.parametrize("path", ["/emails", "/emails/batch", "/v1/transactional/send"])
@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[1]", b'"x"', b"\xff", b'{"to": NaN}', b"[" * 100_000]
)
def test_a_body_that_is_no_email_is_refused(simulator, session, path, body):
    for target in (path, "/v3/mail/send"):
        answer = session.post(simulator.url + target, data=body, timeout=10)
        assert answer.status_code in (400, 422)
        assert answer.json()
    assert simulator.accepted() == []


def exchange(url: str, data: bytes) -> bytes:
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_without_a_length_is_refused(simulator):
    head = (
        b"POST /emails HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    assert exchange(simulator.url, head).startswith(b"HTTP/1.1 411 ")


def test_a_body_beyond_all_limits_is_refused(simulator):
    head = b"POST /emails HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    assert exchange(simulator.url, head).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_ends_early_is_not_an_email(simulator):
    head = b"POST /emails HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{}"
    assert exchange(simulator.url, head) == b""


def test_a_connection_is_kept_for_the_next_request(simulator):
    request = b"GET /log.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert exchange(simulator.url, request * 3).count(b"HTTP/1.1 200 OK") == 3


def test_it_takes_many_clients_at_once(simulator):
    with requests.Session() as session:
        address = urlsplit(simulator.url)
        idle = [socket.create_connection((address.hostname, address.port)) for _ in range(200)]
        assert session.get(f"{simulator.url}/log.json", timeout=10).json() == []
        for connection in idle:
            connection.close()


def test_the_simulator_needs_nothing_but_python_and_cryptography():
    for path in (ROOT / "tools" / "simulator").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [item.name for item in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign = [name for name in names if not f"{name}.".startswith("tools.simulator.")]
            rooms = {name.partition(".")[0] for name in foreign}
            assert rooms <= {"cryptography"} | sys.stdlib_module_names, path.name
