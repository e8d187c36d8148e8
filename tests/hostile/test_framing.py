"""Where a request begins and ends, and what it asks for: methods, paths, lengths, broken chunks."""

from urllib.parse import urlsplit

import pytest

from tools.site import BEARER, FORM, HOST, JSON, OURS, Site
from tools.wire import Header, exchange, request

POST_ROUTES = ("/api/send", "/api/signup", "/api/webhooks/stripe", "/contact", "/login")
CHUNKED: Header = ("Transfer-Encoding", "chunked")

BROKEN_CHUNKS = {
    "size that is no number": b"zz\r\nabc\r\n0\r\n\r\n",
    "negative size": b"-1\r\nabc\r\n0\r\n\r\n",
    "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n",
    "size too large": b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n",
    "more than the size says": b"3\r\nabcdef\r\n0\r\n\r\n",
    "end missing": b"3\r\nabc\r\n",
    "cut in the middle": b"ff\r\nabc",
    "line feed for a line end": b"3\nabc\n0\n\n",
    "extension of 10,000 bytes": b"3;" + b"x" * 10_000 + b"\r\nabc\r\n0\r\n\r\n",
    "NUL in the size": b"3\0\r\nabc\r\n0\r\n\r\n",
    "forbidden trailer": b"3\r\nabc\r\n0\r\nHost: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_broken_chunks_are_refused_everywhere(site: Site, name: str):
    with site.stores():
        for route in POST_ROUTES:
            kind = JSON if route.startswith("/api/") else FORM
            head = request("POST", route, [*OURS, BEARER, kind, CHUNKED])
            answer = exchange(site.port, head + BROKEN_CHUNKS[name], breaks_off=True)
            assert (route, answer.status) == (route, 400)


def test_a_body_that_is_broken_off_is_refused_though_its_beginning_is_good(site: Site):
    good = b'{"email": "ann@example.com", "name": "Ann"}'
    length: Header = ("Content-Length", str(len(good) + 50))
    head = request("POST", "/api/send", [*OURS, BEARER, JSON, length])
    with site.stores():
        assert exchange(site.port, head + good + b"  ", breaks_off=True).status == 400


CONTRADICTIONS: dict[str, list[Header]] = {
    "length and chunks": [("Content-Length", "3"), CHUNKED],
    "two lengths": [("Content-Length", "2"), ("Content-Length", "3")],
    "list of lengths": [("Content-Length", "2, 2")],
    "negative length": [("Content-Length", "-1")],
    "length with a plus": [("Content-Length", "+2")],
    "length in hexadecimal": [("Content-Length", "0x2")],
    "length of 5,000 digits": [("Content-Length", "9" * 5000)],
    "chunks twice": [CHUNKED, CHUNKED],
    "two hosts": [("Host", "evil.example")],
    "two content types": [JSON, FORM],
    "space before the colon": [("Content-Length ", "2")],
    "no name": [("", "2")],
    "name with a space": [("Content Length", "2")],
    "name with a foreign letter": [("Contént-Length", "2")],
    "NUL in a value": [("X-Value", "a\0b")],
    "carriage return in a value": [("X-Value", "a\rb")],
    "line feed in a value": [("X-Value", "a\nGET /healthz HTTP/1.1")],
    "folded value": [("X-Value", "a\r\n b")],
    "200 headers": [(f"X-{number}", "x") for number in range(200)],
    "header of 100,000 bytes": [("X-Value", "x" * 100_000)],
    "unknown expectation": [("Expect", "tea")],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_request_that_can_be_read_in_two_ways_is_refused(site: Site, name: str):
    data = request("POST", "/api/send", [*OURS, BEARER, JSON, *CONTRADICTIONS[name]]) + b"{}"
    with site.stores():
        assert exchange(site.port, data, breaks_off=True).status in (400, 417, 431)


@pytest.mark.parametrize("coding", ["gzip", "chunked,", "identity, chunked", "chunked, x", "é"])
def test_an_unknown_transfer_coding_is_refused_by_the_server(site: Site, coding: str):
    head = request("POST", "/api/send", [*OURS, BEARER, JSON, ("Transfer-Encoding", coding)])
    with site.stores():
        # 501 is the server's own: RFC 9112 section 6.1 asks for it.
        assert exchange(site.port, head + b"0\r\n\r\n").status in (400, 501)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "HTTP_HOST"])
def test_a_header_cannot_replace_what_the_server_says(site: Site, name: str):
    plain = site.send("GET", "/login")
    answer = site.send("GET", "/login", [(name, "/evil")])
    assert (answer.status, b"evil" in answer.body) == (plain.status, False)


def test_what_hides_in_a_body_is_no_request_of_its_own(site: Site):
    hidden = request("POST", "/api/signup", [*OURS, JSON], b'{"email":"a@example.com","name":"A"}')
    for path in ("/nothing", "/healthz", "/api/send", "/login"):
        with site.stores():
            outer = request("POST", path, OURS, hidden).replace(b"Connection: close\r\n", b"", 1)
            answer = exchange(site.port, outer)
            assert (path, answer.status in (400, 401, 404, 405)) == (path, True)


METHODS = ("PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "GETS", "X" * 15, "ÉTÉ", "get")
PATHS = ("/", "/login", "/api/send", "/api/webhooks/stripe", "/reset-password", "/healthz",
         "/static/style.css", "/nothing")  # fmt: skip


def test_other_methods_are_refused(site: Site):
    with site.stores():
        for path in PATHS:
            for method in METHODS:
                answer = site.send(method, path)
                assert (path, method, answer.status in (400, 404, 405)) == (path, method, True)


@pytest.mark.parametrize("path", ["/api/send", "/api/signup", "/api/webhooks/stripe", "/logout"])
def test_looking_at_a_post_route_changes_nothing(site: Site, path: str):
    with site.stores():
        for method in ("GET", "HEAD"):
            answer = site.send(method, path, [BEARER])
            assert (method, answer.status) == (method, 405)
            assert "POST" in (answer.header("Allow") or "")


ODD_PATHS = (
    "/%00", "/%ff%fe", "/%ed%a0%80", "/%2e%2e/%2e%2e/etc/passwd", "/static/../config.py",
    "/static/..%2fconfig.py", "/static/%2fetc%2fpasswd", "/static/%00", "/static/..\\config.py",
    "/static/" + "a" * 3000, "//evil.example/", "/\\evil.example", "/;/login", "/login/", "/LOGIN",
    "/api/emails/%00", "/api/emails/..%2f..%2flogin", "/api/emails/" + "0" * 3000, "/.env",
    "/.git/config", "/api/webhooks/sendgrid%00", "/api/webhooks/{{7*7}}",
)  # fmt: skip


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_path_leads_nowhere(site: Site, path: str):
    answer = site.send("GET", path, [BEARER])
    assert answer.status in (308, 404)
    assert urlsplit(answer.header("Location") or "/").hostname in (None, HOST)
    assert b"SECRET_KEY" not in answer.body


def test_a_target_that_is_no_path_is_refused(site: Site):
    for target in ("/a b", "/\0", "/é", "/" + "a" * 100_000, "", "login?\r"):
        assert (target[:9], site.send("GET", target).status in (400, 404, 414)) == (
            target[:9],
            True,
        )


HIDDEN = (
    "/preview", "/preview/", "/preview/welcome", "/preview/welcome.txt", "/preview/password-reset",
    "/preview/nothing", "/preview/..", "/preview/%2e%2e", "/preview/..%2fconfig", "/preview/%2fetc",
    "/preview/%00", "/preview/{{7*7}}", "/preview?email=welcome&sample=normal", "/inbox", "/inbox/",
    "/inbox.json", "/inbox/0", "/inbox/..%2f", "/inbox?q=%00", "/nothing",
)  # fmt: skip


def test_in_production_the_gallery_and_the_inbox_are_as_absent_as_anything_else(site: Site):
    answers = {path: site.send("GET", path) for path in HIDDEN}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(HIDDEN, 404)
    assert len(set(answers.values())) == 1
