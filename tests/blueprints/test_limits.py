"""Rate limits: the settings' rates, whom they count, and what a refused caller is told."""

import pytest
from flask.testing import FlaskClient

from message import new_id
from tests.blueprints.conftest import PRODUCTION
from tests.conftest import MakeApp

GOOD = {"email": "ann@example.com", "name": "Ann"}
FORMS = (
    "/signup", "/login", "/logout", "/forgot-password", "/reset-password", "/contact",
    "/confirm/x", "/preview/welcome",
)  # fmt: skip


def statuses(client: FlaskClient, path: str, count: int, **options: object) -> list[int]:
    return [client.post(path, **options).status_code for _ in range(count)]


def test_the_rates_are_those_of_the_settings(make_app: MakeApp):
    client = make_app(
        RATELIMIT_ENABLED=True, RATELIMIT_SEND="3/minute", RATELIMIT_FORM="2/hour"
    ).test_client()
    assert statuses(client, "/api/send", 4, json=GOOD) == [202] * 3 + [429]
    assert statuses(client, "/api/send-welcome", 4, json=GOOD) == [202] * 3 + [429]
    assert statuses(client, "/api/signup", 3, json=GOOD) == [201] * 2 + [429]
    assert statuses(client, "/login", 3, data={}) == [400] * 2 + [429]


def test_the_default_rates_are_10_sends_and_5_forms_a_minute(make_app: MakeApp):
    client = make_app(RATELIMIT_ENABLED=True).test_client()
    assert statuses(client, "/api/send", 11, json=GOOD) == [202] * 10 + [429]
    assert statuses(client, "/api/password-reset", 6, json=GOOD) == [202] * 5 + [429]


@pytest.mark.parametrize("path", [*FORMS, "/api/signup", "/api/password-reset"])
def test_a_form_is_limited_in_posts_but_not_in_looks(make_app: MakeApp, path: str):
    client = make_app(RATELIMIT_ENABLED=True, RATELIMIT_FORM="1/hour").test_client()
    for _ in range(3):
        assert client.get(path).status_code != 429
    client.post(path)
    refused = client.post(path)
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["Retry-After"]) < 3610
    assert refused.is_json == path.startswith("/api/")
    assert "too many requests" in refused.text


def test_posts_without_a_csrf_token_count_as_well(make_app: MakeApp):
    client = make_app(
        RATELIMIT_ENABLED=True, RATELIMIT_FORM="2/hour", WTF_CSRF_ENABLED=True
    ).test_client()
    for path in FORMS:
        assert (path, statuses(client, path, 3, data={})) == (path, [400, 400, 429])


def test_a_checked_token_is_counted_and_everybody_else_by_address(make_app: MakeApp):
    client = make_app(
        **PRODUCTION,
        RATELIMIT_ENABLED=True,
        RATELIMIT_SEND="2/minute",
        API_TOKEN="a token of these tests",
    ).test_client()

    def send(token: str, address: str) -> int:
        return client.post(
            "/api/send",
            json={},
            headers={"Authorization": f"Bearer {token}", "X-Forwarded-For": "203.0.113.9"},
            environ_overrides={"REMOTE_ADDR": address},
        ).status_code

    assert [send("guess", "192.0.2.1") for _ in range(3)] == [401, 401, 429]
    assert [send("guess", "192.0.2.2") for _ in range(3)] == [401, 401, 429]
    guess = client.get(f"/api/emails/{new_id()}", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert guess.status_code == 429
    # The holder of the token is let in from an address that has guessed, and counts everywhere.
    holder = [
        send("a token of these tests", address)
        for address in ("192.0.2.1", "192.0.2.3", "192.0.2.4")
    ]
    assert holder == [400, 400, 429]


@pytest.mark.parametrize(("proxies", "last"), [(0, 429), (1, 400)])
def test_forwarded_addresses_count_only_behind_a_trusted_proxy(
    make_app: MakeApp, proxies: int, last: int
):
    client = make_app(
        RATELIMIT_ENABLED=True, RATELIMIT_FORM="1/minute", TRUSTED_PROXIES=proxies
    ).test_client()
    addresses = ["192.0.2.9, 203.0.113.1", "192.0.2.9, 203.0.113.2"]
    answers = [
        client.post("/login", headers={"X-Forwarded-For": each}).status_code for each in addresses
    ]
    assert answers == [400, last]


def test_limits_can_be_switched_off_and_spare_what_is_watched(make_app: MakeApp):
    client = make_app(RATELIMIT_FORM="1/hour").test_client()
    assert statuses(client, "/login", 3, data={}) == [400] * 3
    limited = make_app(RATELIMIT_ENABLED=True, RATELIMIT_SEND="1/hour").test_client()
    for path in ("/healthz", "/inbox.json", "/"):
        assert {limited.get(path).status_code for _ in range(30)} == {200}
    assert 429 not in statuses(limited, "/api/webhooks/stripe", 30)


def test_an_ipv6_customer_is_counted_by_the_64_and_an_ipv4_one_by_the_address(make_app: MakeApp):
    client = make_app(
        RATELIMIT_ENABLED=True, RATELIMIT_FORM="2/hour", RATELIMIT_SEND="2/hour"
    ).test_client()

    def last(path: str, *addresses: str) -> int:
        return [
            client.post(path, json={}, environ_base={"REMOTE_ADDR": each}).status_code
            for each in addresses
        ][-1]

    for path in ("/login", "/api/send"):
        assert last(path, *(f"2001:db8:1:2:{n:x}::{n}" for n in range(3))) == 429
        assert last(path, "2001:db8:1:3::1") == 400
        assert last(path, "192.0.2.1", "192.0.2.1", "192.0.2.2") == 400
        assert last(path, "::ffff:192.0.2.1") == 429
        assert last(path, *(f"198.51.100.1:{n}" for n in (4001, 4002, 4003))) == 429
        assert last(path, *(f"[2001:db8:9:9:{n}::1]:{n}" for n in (4001, 4002, 4003))) == 429
        assert last(path, *["unknown"] * 3) == 429  # a proxy may write anything
