"""Addresses and header-bound text through every door: one line and one address, or refused."""

import json

import pytest

from message import new_id
from tests.hostile.events import checkout, post_event
from tests.hostile.pages import Fields, Visitor
from tools.simulator_process import Simulator
from tools.site import BEARER, FORM, JSON, OURS, Site, mail_to
from tools.wire import chunked, exchange, request

LIMIT = 64 * 1024

BAD_ADDRESSES = (
    "a", "@", "a@", "@b.co", "a@b", "a@@b.co", "a@b..co", ".a@b.co", "a.@b.co", "a..b@c.de",
    "a@-b.co", "a@b.co.", "a b@c.de", "a@b c.de", "a@b.co, c@d.co", "a@b.co;c@d.co",
    "a@b.co c@d.co",
    "Ann <a@b.co>", "<a@b.co>", '"Ann" <a@b.co>', "a@b.co>", "a@b.co (Ann)", "mailto:a@b.co",
    '"a b"@b.co', '"a@b"@c.de', "a@[127.0.0.1]", "a@[IPv6:::1]", "a@127.0.0.1", "a@localhost",
    "a@b.co?cc=c@d.co", "a%b@c.de@d.co", "a!b@c.de!", "a@b.co/../c", "a@b_c.de", "ä@b.co",
    "用户@b.co",
    "a@b.co\r\nBcc: c@d.co", "a@b.co\nc@d.co", "a@b.co\rx", "a\r\n@b.co", "a@b\r\n.co", "a\0@b.co",
    "a@b.co\0", "a@b\u2028.co", "a\u2029@b.co", "a\x85@b.co", "a\x1b@b.co", "a\x7f@b.co",
    "a\u200b@b.co", "a\u202e@b.co", "a\ud800@b.co", "a@b\udfff.co", "a@\U0010ffff.co",
    "a@" + "b" * 64 + ".co", "a@" + "b." * 130 + "co", "a@b." + "c" * 320,
    "a" * 60_000 + "@b.co", "@" * 20_000, "a@" + "." * 60_000, "{{7*7}}", "' OR 1=1 --", "null",
)  # fmt: skip

GOOD_ADDRESSES = (
    "a.b+tag@example.com", "o'brien@example.com", "A@EXAMPLE.COM", "1@example.com", "_@example.com",
    "!#$%&'*+-/=?^_`{|}~@example.com", "a@xn--bcher-kva.example.com", "a@bücher.example.com",
    "a" * 64 + "@example.com", "  blanks@example.com\t", "line-break@example.com\r\n",
)  # fmt: skip

BAD_LINES = (
    "Ann\r\nBcc: all@example.org", "Ann\nX: y", "Ann\rX", "Ann\0", "Ann\x0bX", "Ann\x0cX",
    "Ann\x1b[31m", "Ann\x7f", "Ann\x80", "Ann\x85X", "Ann\x9b31m", "Ann\u2028X", "Ann\u2029X",
    "Ann\ud800", "Ann\udfff", "A" * 101,
    "\u202eevil", "Ann\u2066", "Ann\u200f", "\u061cAnn",
    "\ud83d", "\udc8c\ud83d", "A" * 60_000,
)  # fmt: skip

GOOD_LINES = (
    "Zoë 💌", "{{7*7}}", "{% include 'x' %}", "<script>evil()</script>", "'); DROP TABLE x;--",
    "%0d%0aBcc: all@example.org", "=?utf-8?q?Ann?=", '"', "\\", "a@b.co", "عربي", "An\u200cn",
)  # fmt: skip

ROUTES = ("/api/send", "/api/send-welcome", "/api/signup")


def status(site: Site, path: str, **fields: str) -> int:
    body = {"email": "ann@example.com", "name": "Ann"} | fields
    return site.send("POST", path, [JSON, BEARER], json.dumps(body).encode()).status


@pytest.mark.parametrize("path", [*ROUTES, "/api/password-reset"])
def test_what_is_not_one_address_is_refused(site: Site, path: str):
    with site.stores():
        for address in BAD_ADDRESSES:
            assert (address[:40], status(site, path, email=address)) == (address[:40], 422)


@pytest.mark.parametrize("path", ROUTES)
def test_a_name_of_two_lines_or_of_no_characters_is_refused(site: Site, path: str):
    with site.stores():
        for line in BAD_LINES:
            assert (line[:40], status(site, path, name=line)) == (line[:40], 422)


def test_an_unusual_address_is_no_reason_to_refuse(site: Site):
    with site.stores(outbox=len(GOOD_ADDRESSES)):
        for address in GOOD_ADDRESSES:
            assert (address, status(site, "/api/send", email=address)) == (address, 202)


def test_an_unusual_name_stays_as_it_was_typed(site: Site):
    with site.stores(outbox=len(GOOD_LINES)):
        for number, line in enumerate(GOOD_LINES):
            recipient = f"name-{number}@example.com"
            assert (line, status(site, "/api/send", email=recipient, name=line)) == (line, 202)
            html = site.html_to(recipient)
            assert "<script" not in html
            assert ("{{7*7}}" in html) == (line == "{{7*7}}")


def test_the_subject_at_the_provider_is_one_line(site: Site, simulator_process: Simulator):
    recipient = f"{new_id()}@example.com"
    name = "Zoë %0aBcc: all {{7*7}}"
    assert status(site, "/api/send", email=recipient, name=name) == 202
    [sent] = mail_to(simulator_process, recipient)
    assert name in sent["subject"]
    assert sent["recipients"] == [recipient]


def test_a_name_like_a_link_is_taken_and_our_emails_do_not_say_it(
    site: Site, simulator_process: Simulator
):
    name = "you won: https://evil.example"
    ann, bob = f"{new_id()}@example.com", f"{new_id()}@example.com"
    assert status(site, "/api/signup", email=ann, name=name) == 201
    assert status(site, "/api/signup", email=ann, name=name) == 201
    assert status(site, "/api/send", email=bob, name=name) == 202
    sent = [*mail_to(simulator_process, ann, 2), *mail_to(simulator_process, bob)]
    assert [mail["subject"] for mail in sent if "evil" in str(mail)] == []


@pytest.mark.parametrize("character", ["\r\n", "\n", "\r", "\0", "\u2028", "\x85", "\x1b"])
def test_no_line_break_passes_through_a_form_or_an_event(site: Site, character: str):
    visitor = Visitor(site)
    evil = f"Ann{character}Bcc: all@example.org"
    address = f"ann@example.com{character}Bcc:all@example.org"
    contact: Fields = {"name": "Ann", "email": "ann@example.com", "message": "Hello"}
    signup: Fields = {"name": "Ann", "email": "ann@example.com", "password": "long enough"}
    with site.stores():
        assert visitor.submit("/contact", {**contact, "name": evil}).status == 400
        assert visitor.submit("/contact", {**contact, "email": address}).status == 400
        assert visitor.submit("/signup", {**signup, "name": evil}).status == 400
        assert visitor.submit("/signup", {**signup, "email": address}).status == 400
        assert visitor.submit("/forgot-password", {"email": address}).status == 400
    with site.stores(events=1):
        assert post_event(site, checkout(address)).status == 200


BROKEN_FORMS: dict[str, Fields] = {
    "NUL in the message": {"message": "a\0b"},
    "half of a pair": {"message": b"\xed\xa0\x80" * 3000},
    "bytes for a name": {"name": b"A\xff\r\nB"},
    "5,001 letters": {"message": "m" * 5001},
    "empty": {"name": "", "email": "", "message": ""},
    "blank": {"name": " ", "email": "\t", "message": "\n"},
}


@pytest.mark.parametrize("name", BROKEN_FORMS)
def test_a_form_that_no_browser_sends_is_refused(site: Site, name: str):
    contact: Fields = {"name": "Ann", "email": "ann@example.com", "message": "Hello"}
    with site.stores():
        assert Visitor(site).submit("/contact", {**contact, **BROKEN_FORMS[name]}).status == 400


def test_a_form_above_the_limit_is_refused_with_a_page(site: Site):
    visitor = Visitor(site)
    with site.stores():
        answer = visitor.submit("/contact", {"message": "m" * LIMIT})
        assert (answer.status, b"<html" in answer.body) == (413, True)
        head = request("POST", "/contact", [*OURS, FORM, ("Transfer-Encoding", "chunked")])
        body = chunked(b"message=" + b"m" * LIMIT)
        assert exchange(site.port, head + body).status == 413


def test_the_longest_message_fits_into_the_limit_however_it_is_spelt(site: Site):
    form = {"name": "💌" * 100, "email": "ann@example.com", "message": "💌" * 5000}
    with site.stores(outbox=1):
        assert Visitor(site).submit("/contact", form).status == 302
