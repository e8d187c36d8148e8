"""Who a rate limit counts, and which host and scheme are believed, behind 0, 1 and 2 proxies."""

from collections import Counter

import pytest
from redis import Redis

from tests.hostile.pages import Visitor
from tools.fixtures import StartSite
from tools.servers import Valkey
from tools.site import FORM, HOST, JSON, Site
from tools.wire import Header, WireAnswer

LIMIT = 5  # RATELIMIT_FORM's default, a minute

# `{n}` is another number in each request. How many of 20 requests then pass.
COUNTED = {
    "1": {
        "the client's own entry changes": ("10.0.1.{n}, 192.0.2.1", LIMIT),
        "the proxy's entry changes": ("192.0.2.1, 10.0.2.{n}", 20),
    },
    "2": {
        "the client's own entry changes": ("10.0.3.{n}, 192.0.2.2, 192.0.2.3", LIMIT),
        "the outer proxy's entry changes": ("192.0.2.4, 10.0.4.{n}, 192.0.2.5", 20),
        "too few entries": ("10.0.5.{n}", LIMIT),
    },
}

ODD_FORWARDS = (
    "", ",", ",,,,", "unknown", "_hidden", "é", "<script>", "1.2.3.4:99999", "[::1]:80",
    "1.2.3.4 5", "{{7*7}}", "a" * 7000, "1.2.3.4," * 900, "\u2028", "💌", "%00", "*", "None",
)  # fmt: skip


@pytest.fixture
def behind(start_site: StartSite, valkey: Valkey, request: pytest.FixtureRequest) -> Site:
    """A site with fresh rate limits behind as many proxies as the test's `proxies` says."""
    proxies: str = request.getfixturevalue("proxies")
    url = valkey.url.removesuffix("0") + "7"  # a database of its own on that server
    with Redis.from_url(url) as client:
        client.flushdb()
    return start_site(TRUSTED_PROXIES=proxies, RATELIMIT_ENABLED="true", REDIS_URL=url)


def ask(site: Site, *headers: Header) -> WireAnswer:
    body = b'{"email": "nobody@example.com"}'
    return site.send("POST", "/api/password-reset", [JSON, *headers], body)


@pytest.mark.parametrize("proxies", ["0"])
def test_without_a_proxy_no_forged_address_escapes_the_limit(behind: Site, proxies: str):
    names = ("X-Forwarded-For", "X-Real-IP", "Client-IP", "True-Client-IP", "CF-Connecting-IP")
    with behind.stores():
        answers = [
            ask(
                behind,
                *((name, f"10.1.{number}.7") for name in names),
                ("Forwarded", f"for=10.2.{number}.7"),
            )
            for number in range(100)
        ]
    assert Counter(answer.status for answer in answers) == {202: LIMIT, 429: 100 - LIMIT}
    waits = [answer.header("Retry-After") for answer in answers if answer.status == 429]
    assert [wait for wait in waits if not wait or not 1 <= int(wait) <= 61] == []
    without_token = [behind.send("POST", "/login", [FORM], b"a=b").status for _ in range(LIMIT + 1)]
    assert without_token == [400] * LIMIT + [429]


@pytest.mark.parametrize("proxies", COUNTED)
def test_behind_proxies_the_entry_of_the_outermost_trusted_one_counts(behind: Site, proxies: str):
    passed = {
        name: sum(
            ask(behind, ("X-Forwarded-For", template.format(n=number))).status == 202
            for number in range(20)
        )
        for name, (template, _) in COUNTED[proxies].items()
    }
    assert passed == {name: wanted for name, (_, wanted) in COUNTED[proxies].items()}
    with behind.stores():
        for forward in ODD_FORWARDS:
            status = ask(behind, ("X-Forwarded-For", forward)).status
            assert (forward[:20], status in (202, 429)) == (forward[:20], True)


@pytest.mark.parametrize("proxies", ["1"])
def test_a_proxy_may_name_the_host_and_the_scheme_but_no_other_host(behind: Site, proxies: str):
    secure: Header = ("X-Forwarded-Proto", "https")
    assert behind.send("GET", "/login", [secure]).header("Strict-Transport-Security")
    forwarded = [secure, ("X-Forwarded-Host", HOST)]
    assert behind.send("GET", "/login", forwarded).status == 200
    for host in ("evil.example", f"{HOST}, evil.example", f"evil.example#{HOST}", "é", "a" * 4000):
        answer = behind.send("GET", "/login", [secure, ("X-Forwarded-Host", host)])
        assert (host[:30], answer.status, b"evil" in answer.body) == (host[:30], 400, False)


@pytest.mark.parametrize("proxies", ["1"])
def test_over_https_a_form_of_another_site_is_refused_though_its_token_is_good(
    behind: Site, proxies: str
):
    visitor = Visitor(behind, ("X-Forwarded-Proto", "https"))
    fields = {"name": "Ann", "email": "ann@example.com", "password": "long enough"}
    good = fields | {"csrf_token": visitor.csrf_token("/signup")}
    with behind.stores():
        assert visitor.post("/signup", good).status == 400
        for referrer in (
            "https://evil.example/",
            f"https://{HOST}.evil.example/",
            f"http://{HOST}/",
        ):
            given = visitor.post("/signup", good, ("Referer", referrer))
            assert (referrer, given.status) == (referrer, 400)
    with behind.stores(signups=1, outbox=1):
        assert visitor.post("/signup", good, ("Referer", f"https://{HOST}/signup")).status == 302
