"""Links of emails, CSRF tokens and sessions against the running app."""

import html
import random
import re

import pytest

from message import new_id
from tests.hostile.pages import Visitor
from tools.simulator_process import Simulator
from tools.site import BEARER, JSON, Site, mail_to
from tools.wire import WireAnswer

PASSWORD = "correct horse battery"
FORMS = ("/signup", "/login", "/forgot-password", "/contact")
FIELDS = {"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "message": "Hello"}


@pytest.fixture
def link(site: Site, simulator_process: Simulator) -> str:
    """The path of a fresh reset link, as its owner finds it in the email."""
    address = f"{new_id()}@example.com"
    open_account(site, simulator_process, address)
    assert site.post_json("/api/password-reset", {"email": address}).status == 202
    return link_to("reset-password", simulator_process, address, 2)


def open_account(site: Site, simulator: Simulator, address: str) -> Visitor:
    """Sign up and follow the emailed link; the browser, which is logged in."""
    visitor = Visitor(site)
    form = {"email": address, "name": "Ann", "password": PASSWORD}
    assert visitor.submit("/signup", form).status == 302
    assert visitor.submit(link_to("confirm", simulator, address, 1), {}).status == 302
    return visitor


def link_to(page: str, simulator: Simulator, address: str, count: int) -> str:
    """The path of the link to `page` in the emails that somebody got, once those are `count`."""
    mails = "".join(mail["html"] for mail in mail_to(simulator, address, count))
    [found] = set(re.findall(rf'"https://[^/"]+(/{page}[/?][^"]+)"', mails))
    return html.unescape(found)


def test_looking_at_a_reset_link_uses_nothing_up_and_posting_works_once(site: Site, link: str):
    visitor = Visitor(site)
    with site.stores():
        for method in ["GET", "HEAD"] * 10:
            assert (method, Visitor(site).get(link, method).status) == (method, 200)
        assert visitor.submit(link, {"password": "short"}).status == 400
        second = Visitor(site)
        token = second.csrf_token(link)
        assert visitor.submit(link, {"password": PASSWORD}).status == 302
        used = second.post(link, {"csrf_token": token, "password": "another password"})
        assert used.status == 400
        assert {Visitor(site).get(link).body for _ in range(2)} == {used.body}


def altered(token: str) -> list[str]:
    """Tokens one step away from a good one: each letter changed, cut, added to, or nonsense."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    chance = random.Random(7)  # noqa: S311  which letters are changed need not be secret
    places = chance.sample([at for at, letter in enumerate(token) if letter != "."], 40)
    changed = [
        token[:at] + letters[(letters.index(token[at]) + 32) % 64] + token[at + 1 :]
        for at in places
    ]
    user, time, signature = token.rsplit(".", 2)
    return [
        *changed,
        token[:-2],
        token + "AA",
        f"{user}.{time}",
        f"{user}.{time}.",
        f".{time}.{signature}",
        f"{user}.{user}.{signature}",
        f"{time}.{user}.{signature}",
        token.swapcase(),
        token[::-1],
        token * 2,
    ]


NO_TOKENS = (
    "", "x", ".", "..", "...", "%00", "%ff", "%C3%A9", "%F0%9F%92%8C", "null", "{{7*7}}",
    "a" * 3000,    "W10.aSPXhg.AAAAAAAAAAAAAAAAAAAAAAAAAAA", ".eJwrSy0qzszPAwANSAMd.aSPXhg.AAAA",
)  # fmt: skip


def test_an_altered_token_opens_nothing_and_no_refusal_tells_why(site: Site, link: str):
    path, _, token = link.partition("token=")
    refused: set[WireAnswer] = set()
    with site.stores():
        for wrong in [*altered(token), *NO_TOKENS]:
            answer = site.send("GET", f"{path}token={wrong}")
            assert (wrong[:80], answer.status) == (wrong[:80], 400)
            refused.add(answer)
        refused |= {site.send("GET", "/reset-password"), site.send("GET", path)}
    assert len(refused) == 1
    assert site.send("GET", link).status == 200


def test_a_reset_page_keeps_its_address_to_itself(site: Site, link: str):
    answer = site.send("GET", link)
    assert answer.header("Referrer-Policy") == "same-origin"
    assert answer.header("Cache-Control") == "no-store"
    sources = re.findall(rb'(?:src|href|action)="([^"]*)"', answer.body)
    assert [each for each in sources if each.startswith((b"http", b"//"))] == []
    _, _, token = link.partition("token=")
    assert token not in site.process.output()


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_its_own_token_is_refused(site: Site, path: str):
    visitor, other = Visitor(site), Visitor(site)
    token, foreign = visitor.csrf_token(path), other.csrf_token(path)
    wrong = ("", "x", foreign, token[:-1], token + "x", token.swapcase(), "é", "\0", "a" * 8000)
    with site.stores():
        assert visitor.post(path, dict(FIELDS)).status == 400
        for each in wrong:
            given = visitor.post(path, FIELDS | {"csrf_token": each})
            assert (each[:80], given.status) == (each[:80], 400)
        assert Visitor(site).post(path, FIELDS | {"csrf_token": token}).status == 400


def test_no_other_site_can_log_a_visitor_out(site: Site, simulator_process: Simulator):
    visitor = open_account(site, simulator_process, f"{new_id()}@example.com")
    for fields in ({}, {"csrf_token": "x"}, {"csrf_token": Visitor(site).csrf_token("/login")}):
        assert visitor.post("/logout", fields).status == 400
        assert visitor.get("/account").status == 200


def test_a_session_alone_authorises_nothing_under_api(site: Site, link: str):
    visitor = Visitor(site)
    visitor.submit(link, {"password": PASSWORD})
    token = visitor.csrf_token("/login")
    with site.stores():
        headers = [JSON, ("Cookie", visitor.cookie), ("X-CSRFToken", token)]
        body = b'{"email": "ann@example.com", "name": "Ann"}'
        assert site.send("POST", "/api/send", headers, body).status == 401
    with site.stores(outbox=1):
        assert site.send("POST", "/api/send", [*headers, BEARER], body).status == 202
