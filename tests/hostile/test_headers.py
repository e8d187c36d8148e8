"""Headers of the API and of pages: who may send, keys, hosts, cookies."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from message import new_id
from tools.simulator_process import Simulator
from tools.site import API_TOKEN, BEARER, HOST, JSON, Site, mail_to
from tools.wire import Header, WireAnswer, exchange, request

BODY = b'{"email": "ann@example.com", "name": "Ann"}'

NOT_THE_TOKEN: dict[str, str | bytes] = {
    "empty": "",
    "scheme alone": "Bearer",
    "scheme and a space": "Bearer ",
    "token alone": API_TOKEN,
    "other scheme": f"Basic {API_TOKEN}",
    "digest": f'Digest username="{API_TOKEN}"',
    "two schemes": f"Bearer Bearer {API_TOKEN}",
    "comma": f"Bearer, {API_TOKEN}",
    "tab": f"Bearer\t{API_TOKEN}",
    "two spaces": f"Bearer  {API_TOKEN}",
    "equals sign": f"Bearer={API_TOKEN}",
    "quoted": f'Bearer "{API_TOKEN}"',
    "one letter less": f"Bearer {API_TOKEN[:-1]}",
    "one letter more": f"Bearer {API_TOKEN}x",
    "capitals": f"Bearer {API_TOKEN.upper()}",
    "two tokens": f"Bearer {API_TOKEN}, {API_TOKEN}",
    "None": "Bearer None",
    "asterisk": "Bearer *",
    "a foreign letter": "Bearer clé",
    "a foreign letter behind": f"Bearer {API_TOKEN}é",
    "a foreign scheme": f"Béarer {API_TOKEN}",
    "wide letters": f"\uff22earer {API_TOKEN}",
    "bytes": b"Bearer \xff\xfe\x80",
    "half of a pair": b"Bearer \xed\xa0\x80",
    "a Latin-1 space": f"Bearer {API_TOKEN}".encode() + b"\xa0",
    "emoji": "Bearer 💌",
    "template": "Bearer {{7*7}}",
    "8,000 letters": "Bearer " + "x" * 8000,
}


def test_every_wrong_token_gets_the_same_401(site: Site):
    def post(path: str, *headers: Header) -> WireAnswer:
        return site.send("POST", path, [JSON, *headers], BODY)

    with site.stores():
        answers = {
            name: post("/api/send", ("Authorization", value))
            for name, value in NOT_THE_TOKEN.items()
        }
        answers["none"] = post("/api/send")
        answers["of a cookie"] = post("/api/send", ("Cookie", f"Authorization=Bearer {API_TOKEN}"))
        answers["of another header"] = post("/api/send-welcome", ("X-API-Key", API_TOKEN))
        answers["in the address"] = post(f"/api/send?token={API_TOKEN}&access_token={API_TOKEN}")
        answers["twice"] = post("/api/send", BEARER, BEARER)
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(answers, 401)
    assert len(set(answers.values())) == 1


def test_the_name_of_the_scheme_may_be_written_in_any_case(site: Site):
    with site.stores(outbox=3):
        for scheme in ("bearer", "BEARER", "Bearer"):
            header = ("Authorization", f"{scheme} {API_TOKEN}")
            assert site.send("POST", "/api/send", [JSON, header], BODY).status == 202


REFUSED_KEYS: dict[str, list[str | bytes]] = {
    "empty": [""],
    "blank": ["   "],
    "201 letters": ["x" * 201],
    "8,000 letters": ["x" * 8000],
    "tab inside": ["a\tb"],
    "foreign letter": ["clé"],
    "bytes": [b"\xff\xfe"],
    "emoji": ["💌"],
    "line separator": ["a\u2028b"],
    "two keys too long together": ["x" * 150, "y" * 150],
}


def test_a_key_that_cannot_be_kept_is_refused(site: Site):
    with site.stores():
        given = {
            name: site.send(
                "POST",
                "/api/send",
                [JSON, BEARER, *(("Idempotency-Key", key) for key in keys)],
                BODY,
            ).status
            for name, keys in REFUSED_KEYS.items()
        }
    assert given == dict.fromkeys(REFUSED_KEYS, 400)


@pytest.mark.parametrize(
    "key", ["k", "x" * 200, "' OR 1=1 --", '"quoted"', "a,b", "{{7*7}}", "../..", "%00", "None"]
)
def test_any_printable_key_names_one_email(site: Site, key: str):
    with site.stores(outbox=1):
        header = ("Idempotency-Key", f"{key}"[:200])
        answers = [site.send("POST", "/api/send", [JSON, BEARER, header], BODY) for _ in range(3)]
        other = site.post_json("/api/send", {"email": "bob@example.com", "name": "Bob"}, header)
    assert {answer.status for answer in answers} == {202}
    assert len({json.loads(answer.body)["id"] for answer in answers}) == 1
    assert other.status == 409


def test_one_key_from_fifty_clients_at_once_is_one_email(site: Site):
    header = ("Idempotency-Key", "fifty-at-once")
    with site.stores(outbox=1), ThreadPoolExecutor(50) as pool:
        sending = [
            pool.submit(site.send, "POST", "/api/send", [JSON, BEARER, header], BODY)
            for _ in range(50)
        ]
        answers = [each.result() for each in sending]
    assert {answer.status for answer in answers} == {202}
    assert len({json.loads(answer.body)["id"] for answer in answers}) == 1


OTHER_HOSTS = (
    "evil.example", f"{HOST}.evil.example", f"evil.example/{HOST}", f"{HOST}@evil.example",
    f"evil.example:443@{HOST}", f"{HOST}:99999", f"{HOST}:port", f"{HOST} evil.example", f"x{HOST}",
    f"{HOST},evil.example", "example.com", "127.0.0.1.evil.example", "[::2]", "[", "0x7f.1", "*",
    "\u0430pp.example.com", "app.example.com\u2028", "é", "<script>", "{{7*7}}", "a" * 4000,
)  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/login", "/api/password-reset", "/nothing"])
def test_another_host_is_refused_and_never_repeated(site: Site, path: str):
    with site.stores():
        for host in OTHER_HOSTS:
            for method, body in (("GET", None), ("POST", b'{"email": "ann@example.com"}')):
                data = request(method, path, [("Host", host), JSON], body)
                answer = exchange(site.port, data)
                assert (host, answer.status) == (host, 400)
                assert b"evil" not in answer.body
                assert "evil" not in str(answer.headers)


FORGED: list[Header] = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Server", "evil.example"),
    ("X-Original-Host", "evil.example"),
    ("X-Host", "evil.example"),
    ("Forwarded", "host=evil.example;proto=https;for=1.2.3.4"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-Port", "666"),
    ("X-Original-URL", "/evil"),
    ("X-Rewrite-URL", "/evil"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Referer", "http://evil.example/"),
    ("Origin", "http://evil.example"),
]


def test_no_header_of_a_proxy_is_believed_where_none_stands(site: Site):
    for path in ("/", "/login", "/account", "/nothing"):
        plain = site.send("GET", path)
        for header in FORGED:
            answer = site.send("GET", path, [header])
            assert (path, header[0], answer.status) == (path, header[0], plain.status)
            assert answer.header("Location") == plain.header("Location")
            assert b"evil" not in answer.body


def test_links_in_emails_lead_home_whatever_the_request_said(
    site: Site, simulator_process: Simulator
):
    address = f"{new_id()}@example.com"
    with site.stores(outbox=1, signups=1):
        body = {"email": address, "name": "Ann"}
        assert site.post_json("/api/signup", body, *FORGED).status == 201
    [mail] = mail_to(simulator_process, address)
    assert f"https://{HOST}/confirm/" in mail["html"]
    assert "evil" not in mail["html"]


COOKIES: dict[str, str | bytes] = {
    "empty": "",
    "nonsense": ";;;=;=;",
    "text": "__Host-session=hello",
    "dots": "__Host-session=....",
    "unsigned": "__Host-session=eyJ1c2VyIjpbIjEiLCIyIl19",
    "wrongly signed": "__Host-session=eyJ1c2VyIjpbIjEiLCIyIl19.aSPXhg.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "packed": "__Host-session=.eJwrSy0qzszPAwANSAMd.aSPXhg.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "time beyond all": "__Host-session=e30.____________.AAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "quoted": '__Host-session="\\000\\012\\777"',
    "open quote": '__Host-session="',
    "foreign letters": "__Host-session=é",
    "bytes": b"__Host-session=\xff\xfe\x80",
    "without its prefix": "session=eyJ1c2VyIjpbIjEiLCIyIl19",
    "many": "; ".join(f"c{number}=x" for number in range(700)),
    "twice": "__Host-session=a; __Host-session=b",
    "7,900 letters": "__Host-session=" + "A" * 7900,
    "pickle": "__Host-session=gASVIAAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAVlY2hvlIWUUpQu",
    "remember me": "remember_token=1|x; user_id=1; admin=true",
}


def test_a_forged_cookie_is_nobody(site: Site):
    with site.stores():
        for name, cookie in COOKIES.items():
            pages = {
                path: site.send("GET", path, [("Cookie", cookie)]).status
                for path in ("/", "/login", "/account")
            }
            assert (name, pages) == (name, {"/": 200, "/login": 200, "/account": 302})


def test_the_session_cookie_is_kept_to_this_host_and_from_scripts(site: Site):
    cookie = site.send("GET", "/login").header("Set-Cookie") or ""
    name, *flags = cookie.split("; ")
    assert name.startswith("__Host-session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(flags)
    assert "Domain" not in cookie
