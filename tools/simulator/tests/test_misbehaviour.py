"""Every row of the table in tools/simulator/misbehaviour.py, over real HTTP."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def connected(
    simulator: Simulator, path: str, payload: Any, **headers: str
) -> Iterator[socket.socket]:
    """A connection on which the payload was just posted."""
    body = json.dumps(payload).encode()
    fields = {"Host": "localhost", "User-Agent": "x", "Authorization": "Bearer k"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    head = [f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""]
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall("\r\n".join(head).encode() + body)
        yield connection


def test_drip_comes_byte_by_byte(simulator):
    with connected(simulator, *resend_to("drip@example.com")) as connection:
        assert connection.recv(100) == b"H"
        assert connection.recv(100) == b"T"
    assert len(simulator.accepted()) == 1


def test_huge_is_a_yes_of_50_mb(session, simulator):
    path, payload = resend_to("huge@example.com")
    with session.post(simulator.url + path, json=payload, timeout=10, stream=True) as answer:
        assert int(answer.headers["Content-Length"]) > 50_000_000
        start = next(answer.iter_content(100))
    assert simulator.accepted()[0]["id"].encode() in start


def batch_to(*names: str) -> tuple[str, Any]:
    return "/emails/batch", [RESEND | {"to": f"{name}@example.com"} for name in names]


@pytest.mark.parametrize("kind", ["401", "429", "500", "502", "503", "quota", "redirect", "html"])
def test_one_email_of_a_batch_asks_for_all(post: Post, simulator, kind):
    refused = REFUSALS.get(kind, 429)
    for names in ((kind, "ann"), ("ann", kind)):
        assert post(*batch_to(*names)).status_code == refused
    assert simulator.accepted() == []


def test_the_tries_of_a_batch_are_those_of_the_first_that_still_asks(post: Post, simulator):
    batch = batch_to("ann", "500-1", "503-2+x", "429-1+y")
    codes = [post(*batch).status_code for _ in range(5)]
    assert codes == [500, 503, 503, 429, 200]
    assert len(simulator.accepted()) == 4


@pytest.mark.parametrize("kind", ["400", "422"])
def test_one_email_of_a_batch_may_be_refused_alone(post: Post, simulator, kind):
    batch = batch_to("ann", f"{kind}+x", "bob", kind)
    assert post(*batch).status_code == int(kind)
    assert simulator.accepted() == []
    answer = post(*batch, x_batch_validation="permissive").json()
    assert [error["index"] for error in answer["errors"]] == [1, 3]
    assert all(error["message"] for error in answer["errors"])
    records = simulator.accepted()
    assert [record["to"] for record in records] == [["ann@example.com"], ["bob@example.com"]]
    assert [item["id"] for item in answer["data"]] == [record["id"] for record in records]


def test_a_numbered_422_refuses_the_whole_batch_for_a_while(post: Post, simulator):
    path, batch = batch_to("ann", "422-1")
    assert post(path, batch, x_batch_validation="permissive").status_code == 422
    assert simulator.accepted() == []
    assert len(post(path, batch, x_batch_validation="permissive").json()["data"]) == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("drop-after-accept", requests.ConnectionError),
        ("cut", requests.exceptions.ChunkedEncodingError),
    ],
)
def test_the_lost_answer_of_a_batch_is_replayed_on_the_next_try(post: Post, simulator, kind, error):
    path, batch = batch_to("ann", f"{kind}-1")
    with pytest.raises(error):
        post(path, batch, Idempotency_Key="b-1")
    ids = [record["id"] for record in simulator.accepted()]
    answer = post(path, batch, Idempotency_Key="b-1")
    assert [item["id"] for item in answer.json()["data"]] == ids
    assert len(simulator.accepted()) == 2


def test_a_batch_holds_its_key_until_it_is_answered(post: Post, simulator):
    path, batch = batch_to("ann", "hang-after-accept-1")
    with connected(simulator, path, batch, Idempotency_Key="b-1"):
        wait_until(lambda: bool(simulator.accepted()), "the batch")
        refused = post(path, batch, Idempotency_Key="b-1")
        name = refused.json()["name"]
        assert (refused.status_code, name) == (409, "concurrent_idempotent_requests")
    wait_until(lambda: post(path, batch, Idempotency_Key="b-1").ok, "the key")
    assert len(simulator.accepted()) == 2


def test_a_batch_without_ids(post: Post, simulator):
    answer = post(*batch_to("ann", "noid"))
    assert (answer.status_code, answer.json()) == (200, {})
    assert len(simulator.accepted()) == 2


@vendor
def test_cut_ends_in_the_middle_of_the_answer(simulator, vendor):
    with connected(simulator, *VENDORS[vendor]("cut@example.com")) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 20")
    if vendor == "sendgrid":  # its yes has no body
        assert b"\r\n\r\n" not in answer
    else:
        _, _, begun = answer.partition(b"\r\n\r\n")
        assert begun.startswith(b"{")
        assert not begun.endswith(b"}")
    assert len(simulator.accepted()) == 1


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
