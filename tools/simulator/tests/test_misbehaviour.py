"""Every row of the table in tools/simulator/misbehaviour.py, over real HTTP."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tools.processes import wait_until
from tools.simulator.tests.conftest import (
    RESEND,
    VENDORS,
    Post,
    resend_to,
    sendgrid_to,
    sequenzy_to,
)
from tools.simulator_process import Simulator

REFUSALS = {
    "400": 400, "401": 401, "403": 403, "422": 422, "429": 429, "500": 500, "502": 502, "503": 503,
    "redirect": 302, "html": 502,
}  # fmt: skip
QUOTA = {"sequenzy": 429, "resend": 429, "sendgrid": 401}

vendor = pytest.mark.parametrize("vendor", VENDORS)


@vendor
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_its_status_and_accepts_nothing(post: Post, simulator, vendor, kind):
    assert post(*VENDORS[vendor](f"{kind}@example.com")).status_code == REFUSALS[kind]
    assert simulator.accepted() == []


@vendor
@pytest.mark.parametrize("kind", ["400", "401", "403", "429", "500", "503"])
def test_a_refusal_has_the_shape_of_its_vendor(post: Post, vendor, kind):
    body = post(*VENDORS[vendor](f"{kind}@example.com")).json()
    if vendor == "sequenzy":
        assert body["success"] is False
        assert body.get("error") or body["message"]
    elif vendor == "resend":
        assert (body["statusCode"], bool(body["name"]), bool(body["message"])) == (
            int(kind),
            True,
            True,
        )
    else:
        assert set(body["errors"][0]) == {"message", "field", "help"}


@vendor
def test_an_exhausted_quota_looks_different_everywhere(post: Post, vendor):
    answer = post(*VENDORS[vendor]("quota@example.com"))
    assert answer.status_code == QUOTA[vendor]
    said = {"resend": "daily_quota_exceeded", "sendgrid": "Maximum credits exceeded"}
    assert said.get(vendor, "") in answer.text


@vendor
@pytest.mark.parametrize("kind", ["429", "500", "503", "redirect"])
def test_a_number_means_the_first_tries(post: Post, simulator, vendor, kind):
    path, payload = VENDORS[vendor](f"{kind}-2@example.com")
    codes = [post(path, payload, Idempotency_Key=str(n)).status_code for n in range(4)]
    assert codes[:2] == [REFUSALS[kind]] * 2
    assert all(code in (200, 202) for code in codes[2:])
    assert len(simulator.accepted()) == 2


def test_tries_are_counted_for_each_recipient_and_provider(post: Post):
    def code(call: tuple[str, Any]) -> int:
        return post(*call).status_code

    assert code(resend_to("500-1@example.com")) == 500
    assert code(resend_to("500-1+other@example.com")) == 500
    assert code(sendgrid_to("500-1@example.com")) == 500
    assert code(resend_to("500-1@example.com")) == 200


def test_a_redirect_leads_to_a_page_that_says_200(post: Post, simulator):
    answer = post(*resend_to("redirect@example.com"))
    assert requests.get(simulator.url + answer.headers["Location"], timeout=10).status_code == 200


def test_a_gateway_answers_html(post: Post):
    answer = post(*resend_to("html@example.com"))
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.text.startswith("<html>")


@vendor
@pytest.mark.parametrize(("kind", "count"), [("drop", 0), ("drop-after-accept", 1)])
def test_a_drop_closes_the_connection(post: Post, simulator, vendor, kind, count):
    with pytest.raises(requests.ConnectionError):
        post(*VENDORS[vendor](f"{kind}@example.com"))
    assert len(simulator.accepted()) == count


def test_what_was_dropped_after_accept_is_replayed_on_the_next_try(post: Post, simulator):
    path, payload = resend_to("drop-after-accept-1@example.com")
    with pytest.raises(requests.ConnectionError):
        post(path, payload, Idempotency_Key="k-1")
    answer = post(path, payload, Idempotency_Key="k-1")
    [record] = simulator.accepted()
    assert answer.json()["id"] == record["id"]


def test_a_hang_never_answers(session, simulator):
    path, payload = resend_to("hang@example.com")
    with pytest.raises(requests.ReadTimeout):
        session.post(simulator.url + path, json=payload, timeout=1)
    assert simulator.accepted() == []


@pytest.mark.parametrize("kind", ["hang-after-accept", "slow-60000"])
def test_what_is_answered_too_late_is_accepted_at_once(session, simulator, kind):
    path, payload = sequenzy_to(f"{kind}@example.com")
    with pytest.raises(requests.ReadTimeout):
        session.post(simulator.url + path, json=payload, timeout=1)
    wait_until(lambda: bool(simulator.accepted()), "the email")


def test_a_hang_frees_its_key_when_the_client_leaves(post: Post, session, simulator):
    path, payload = resend_to("hang-after-accept-1@example.com")
    headers = {"Idempotency-Key": "k-1"}
    with pytest.raises(requests.ReadTimeout):
        session.post(simulator.url + path, json=payload, headers=headers, timeout=1)
    wait_until(lambda: post(path, payload, **headers).status_code != 409, "the key")
    answer = post(path, payload, **headers)
    assert answer.json()["id"] == simulator.accepted()[0]["id"]


def test_slow_answers_in_the_end(post: Post):
    assert post(*sequenzy_to("slow-50@example.com")).json()["success"] is True


@vendor
def test_noid_is_a_yes_without_an_id(post: Post, simulator, vendor):
    answer = post(*VENDORS[vendor]("noid@example.com"))
    assert answer.ok
    assert "X-Message-Id" not in answer.headers
    assert simulator.accepted()[0]["id"] not in answer.text


def test_drip_comes_byte_by_byte(simulator):
    path, _ = resend_to("")
    body = str(RESEND | {"to": "drip@example.com"}).replace("'", '"').encode()
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\nAuthorization: Bearer k\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert connection.recv(100) == b"H"
        assert connection.recv(100) == b"T"
    assert len(simulator.accepted()) == 1


def test_huge_is_a_yes_of_50_mb(session, simulator):
    path, payload = resend_to("huge@example.com")
    with session.post(simulator.url + path, json=payload, timeout=10, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) > 50_000_000
        start = next(answer.iter_content(100))
    assert simulator.accepted()[0]["id"].encode() in start


def test_the_first_recipient_of_a_batch_decides(post: Post, simulator):
    batch = [RESEND | {"to": "500@example.com"}, RESEND]
    assert post("/emails/batch", batch).status_code == 500
    assert post("/emails/batch", batch[::-1]).status_code == 200


def test_an_ordinary_address_is_treated_well(post: Post):
    for name in ("ann", "slow", "500x", "429-", "hang-after", "a.500"):
        assert post(*resend_to(f"{name}@example.com")).status_code == 200


def faults(simulator: Simulator) -> list[Any]:
    seen: list[Any] = []
    with requests.Session() as session:
        for _ in range(60):
            try:
                answer = session.post(
                    f"{simulator.url}/emails",
                    json=RESEND,
                    headers={"Authorization": "Bearer k"},
                    timeout=10,
                )
                seen.append(answer.status_code)
            except requests.ConnectionError:
                seen.append("drop")
    return seen


def test_a_fault_mix_is_the_same_for_the_same_seed(tmp_path):
    mix = ["--fault-500", "0.2", "--fault-429", "0.2", "--fault-drop", "0.2", "--latency-ms", "1"]
    runs = []
    for number, seed in enumerate(("7", "7", "8")):
        with Simulator(tmp_path / f"{number}.jsonl", [*mix, "--seed", seed]) as simulator:
            runs.append(faults(simulator))
            answered = [fault for fault in runs[-1] if fault in (200, "drop")]
            assert len(simulator.accepted()) == len(answered)
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {200, 429, 500, "drop"}


def test_latency_is_added_to_every_answer(tmp_path, session):
    with Simulator(tmp_path / "log.jsonl", ["--latency-ms", "60000"]) as simulator:
        with pytest.raises(requests.ReadTimeout):
            session.post(f"{simulator.url}/emails", json=RESEND, timeout=0.5)
        assert requests.get(f"{simulator.url}/log.json", timeout=10).ok
