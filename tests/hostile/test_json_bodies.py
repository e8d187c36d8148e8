"""Bodies of the JSON routes: whatever is no usable object is refused, and nothing is stored."""

import json

from tools.site import BEARER, JSON, OURS, Site
from tools.wire import Header, chunked, exchange, request

LIMIT = 64 * 1024
ROUTES = ("/api/send", "/api/send-welcome", "/api/signup", "/api/password-reset")

NO_OBJECT: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t ",
    "NUL": b"\0",
    "half an object": b'{"email": "ann@example.com"',
    "two objects": b'{"email": "ann@example.com", "name": "Ann"} {}',
    "comment": b'{"email": "ann@example.com", "name": "Ann"} // me',
    "single quotes": b"{'email': 'ann@example.com', 'name': 'Ann'}",
    "trailing comma": b'{"email": "ann@example.com", "name": "Ann",}',
    "form": b"email=ann@example.com&name=Ann",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "list": b'[{"email": "ann@example.com", "name": "Ann"}]',
    "empty list": b"[]",
    "text": b'"ann@example.com"',
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "1e400": b"1e400",
    "30,000 lists": b"[" * 30_000,
    "30,000 closed lists": b"[" * 30_000 + b"]" * 30_000,
    "7,000 objects": b'{"email":' * 7_000,
    "deep beside good fields": b'{"email": "a@example.com", "name": "A", "n": ' + b"[" * 60_000,
    "number of 5,000 digits": b'{"email": "a@example.com", "name": "A", "n":' + b"9" * 5000 + b"}",
    "bad UTF-8": b'{"email": "ann@example.com", "name": "Ann\xff"}',
    "Latin-1": '{"email": "ann@example.com", "name": "Zoë"}'.encode("latin-1"),
    "overlong UTF-8": b'{"email": "ann@example.com", "name": "\xc0\x80"}',
    "raw NUL in a text": b'{"email": "ann@example.com", "name": "A\0"}',
    "raw line break in a text": b'{"email": "ann@example.com", "name": "A\r\nB"}',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
}  # fmt: skip

INCOMPLETE = (
    b"{}",
    b'{"email": "ann@example.com"}',
    b'{"name": "Ann"}',
    b'{"Email": "ann@example.com", "NAME": "Ann"}',
    b'{"email": null, "name": null}',
    b'{"email": " ", "name": "\\t"}',
)

# As JSON, so that values stand here which only JSON can spell.
WRONG_VALUES = (
    "0", "1.5", "-0.0", "true", "false", "NaN", "Infinity", "-1e400", "9" * 400,
    "[]", '["ann@example.com"]', "{}", '{"$ne": ""}', "[[[[]]]]",
)  # fmt: skip

NOT_JSON = (
    "", "text/plain", "text/html", "application/x-www-form-urlencoded", "application/xml",
    "multipart/form-data; boundary=x", "application/jsonp", "json", "é", "a" * 4000,
)  # fmt: skip


def status(site: Site, route: str, body: bytes, *headers: Header) -> int:
    return site.send("POST", route, [BEARER, *headers], body).status


def test_a_body_that_is_no_json_object_is_400(site: Site):
    with site.stores():
        for route in ROUTES:
            given = {name: status(site, route, body, JSON) for name, body in NO_OBJECT.items()}
            assert (route, given) == (route, dict.fromkeys(NO_OBJECT, 400))


def test_a_field_that_is_missing_is_400_and_one_of_another_type_422(site: Site):
    with site.stores():
        for route in ROUTES[:3]:
            for body in INCOMPLETE:
                assert (route, body, status(site, route, body, JSON)) == (route, body, 400)
            for field in ("email", "name"):
                for value in WRONG_VALUES:
                    fields = f'{{"email": "ann@example.com", "name": "Ann", "{field}": {value}}}'
                    given = status(site, route, fields.encode(), JSON)
                    assert (route, field, value, given) == (route, field, value, 422)


def test_another_content_type_or_none_is_415(site: Site):
    body = b'{"email": "ann@example.com", "name": "Ann"}'
    with site.stores():
        for route in ROUTES:
            assert (route, status(site, route, body)) == (route, 415)
            for kind in NOT_JSON:
                given = status(site, route, body, ("Content-Type", kind))
                assert (route, kind, given) == (route, kind, 415)


def test_a_charset_or_another_kind_of_json_is_no_reason_to_refuse(site: Site):
    kinds = ("application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json")
    with site.stores(outbox=len(kinds)):
        for kind in kinds:
            body = b'{"email": "ann@example.com", "name": "Ann"}'
            assert (kind, status(site, "/api/send", body, ("Content-Type", kind))) == (kind, 202)


def good(size: int) -> bytes:
    """A good body, filled up with blanks."""
    return b'{"email": "ann@example.com", "name": "Ann"}'.ljust(size)


def test_a_body_up_to_the_limit_is_taken_and_one_above_it_is_413(site: Site):
    with site.stores(outbox=1):
        assert status(site, "/api/send", good(LIMIT), JSON) == 202
        for route in ROUTES:
            assert (route, status(site, route, good(LIMIT + 1), JSON)) == (route, 413)


def test_chunks_hide_no_length(site: Site):
    def post_chunked(route: str, body: bytes) -> int:
        headers = [*OURS, BEARER, JSON, ("Transfer-Encoding", "chunked")]
        return exchange(site.port, request("POST", route, headers) + chunked(body)).status

    with site.stores(outbox=1):
        assert post_chunked("/api/send", good(LIMIT // 2)) == 202
        for route in ROUTES:
            assert (route, post_chunked(route, good(LIMIT + 10_000))) == (route, 413)


def test_what_nobody_asked_for_is_ignored(site: Site):
    body = {"email": "ann@example.com", "name": "Ann", "html": "<p>evil</p>", "to": ["b@c.de"],
            "from": "ceo@example.org", "__proto__": {"admin": True}, "csrf_token": [], "": None,
            "\ud800": "\0", "n" * 10_000: 1e308}  # fmt: skip
    with site.stores(outbox=1):
        assert status(site, "/api/send", json.dumps(body).encode(), JSON) == 202
