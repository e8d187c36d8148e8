"""What `--rates` refuses: each vendor's limit, for each key, told in that vendor's words."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import resend
from resend.exceptions import RateLimitError

from tools.simulator.application import Application
from tools.simulator.exchange import Reply, Request
from tools.simulator.ledger import Ledger
from tools.simulator.misbehaviour import FaultMix, Misbehaviour
from tools.simulator.rates import Rates
from tools.simulator.tests.conftest import RESEND, VENDORS
from tools.simulator_process import Simulator


class Clocked:
    """The application with `--rates`, and the clock in our hands."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0  # seconds
        self.ledger = Ledger(folder / "log.jsonl", durable=False)
        rates = Rates(enforced=True, clock=lambda: self.now)
        self.application = Application(self.ledger, Misbehaviour(FaultMix()), rates=rates)

    def ask(self, path: str, payload: Any = None, *, key: str = "k", method: str = "POST") -> Reply:
        headers = {"authorization": f"Bearer {key}", "user-agent": "x"}
        body = json.dumps(payload).encode()
        request = Request(method=method, path=path, query={}, headers=headers, body=body)
        reply, _ = self.application.respond(request, wait=lambda seconds: None)
        return reply

    def send(self, vendor: str, *, key: str = "k") -> int:
        return self.ask(*VENDORS[vendor]("ann@example.com"), key=key).status


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    clocked = Clocked(tmp_path)
    yield clocked
    clocked.ledger.close()


def test_resend_takes_5_requests_in_any_second(clocked: Clocked):
    for moment in (0.0, 0.2, 0.4, 0.6, 0.8):
        clocked.now = moment
        assert clocked.send("resend") == 200
    clocked.now = 0.99
    assert clocked.send("resend") == 429
    clocked.now = 1.0  # the first one is a second old, and what was refused took no room
    assert clocked.send("resend") == 200
    assert clocked.send("resend") == 429
    assert clocked.ledger.count() == 6


def test_resend_counts_every_call_of_a_key(clocked: Clocked):
    assert clocked.send("resend") == 200
    assert clocked.ask("/emails/batch", [RESEND] * 100).status == 200
    assert clocked.ask("/contacts", {"email": "ann@example.com"}).status == 201
    assert clocked.ask("/domains", method="GET").status == 200
    assert clocked.ask("/emails", {}).status == 422
    assert clocked.ask("/emails/batch", [RESEND]).status == 429
    assert clocked.ask("/domains", method="GET").status == 429
    assert clocked.send("resend", key="other") == 200
    assert clocked.send("sequenzy") == 200


def test_resend_tells_how_much_is_left(clocked: Clocked):
    replies = [clocked.ask("/emails", RESEND) for _ in range(6)]
    left = [reply.headers["ratelimit-remaining"] for reply in replies]
    assert left == ["4", "3", "2", "1", "0", "0"]
    assert {reply.headers["ratelimit-limit"] for reply in replies} == {"5"}
    assert [reply.headers.get("retry-after") for reply in replies] == [None] * 5 + ["1"]


def test_sequenzy_takes_bursts_of_20_in_a_second(clocked: Clocked):
    assert [clocked.send("sequenzy") for _ in range(21)] == [200] * 20 + [429]
    clocked.now = 1.0
    assert clocked.send("sequenzy") == 200


def test_sequenzy_takes_100_requests_in_any_minute(clocked: Clocked):
    for number in range(100):
        clocked.now = number * 0.5
        assert clocked.send("sequenzy") == 200
    clocked.now = 50.0
    refused = clocked.ask(*VENDORS["sequenzy"]("ann@example.com"))
    assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
    assert int(refused.headers["X-RateLimit-Reset"]) == pytest.approx(time.time() + 10, abs=5)
    assert json.loads(refused.body) == {"success": False, "message": "Rate limit exceeded"}
    clocked.now = 60.0
    assert clocked.send("sequenzy") == 200
    assert clocked.send("sequenzy") == 429


def test_sendgrid_publishes_no_limit(clocked: Clocked):
    assert {clocked.send("sendgrid") for _ in range(200)} == {202}


def test_a_refused_request_is_no_try_of_its_recipient(clocked: Clocked):
    path, payload = VENDORS["resend"]("500-1@example.com")
    for _ in range(5):
        clocked.send("resend")
    assert clocked.ask(path, payload).status == 429
    clocked.now = 1.0
    assert clocked.ask(path, payload).status == 500


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(tmp_path / "log.jsonl", ["--rates"]) as simulator:
        monkeypatch.setattr(resend, "api_key", "re_key")
        monkeypatch.setattr(resend, "api_url", simulator.url)
        yield simulator


def send_many_batches() -> None:
    for _ in range(1000):
        resend.Batch.send([RESEND, RESEND])  # type: ignore[list-item] # a dict of our own


def test_the_sdk_hears_of_it_and_the_simulator_counts(limited: Simulator):
    with pytest.raises(RateLimitError, match="5 requests per second") as caught:
        send_many_batches()
    assert caught.value.error_type == "rate_limit_exceeded"
    told = {"retry-after": "1", "ratelimit-remaining": "0"}
    assert told.items() <= caught.value.headers.items()
    sent = limited.answers("resend")["200"]
    assert sent >= 5
    assert limited.answers("resend") == {"200": sent, "429": 1}
    assert len(limited.accepted()) == 2 * sent
    assert "1 answered with 429." in requests.get(limited.url, timeout=10).text


def test_clearing_makes_room_and_forgets_the_answers(limited: Simulator):
    with pytest.raises(RateLimitError):
        send_many_batches()
    limited.clear()
    assert not limited.answers("resend")
    assert resend.Batch.send([RESEND])["data"]  # type: ignore[list-item] # a dict of our own


def test_nobody_is_refused_unless_asked(simulator: Simulator, session: requests.Session):
    codes = {
        session.post(f"{simulator.url}/emails", json=RESEND, timeout=10).status_code
        for _ in range(30)
    }
    assert codes == {200}
    assert simulator.answers("resend") == {"200": 30}


def test_a_closed_connection_is_counted_as_no_answer(
    simulator: Simulator, session: requests.Session
):
    for kind in ("drop", "drop-after-accept", "503"):
        path, payload = VENDORS["sendgrid"](f"{kind}@example.com")
        with suppress(requests.ConnectionError):
            session.post(simulator.url + path, json=payload, timeout=10)
    assert simulator.answers("sendgrid") == {"none": 2, "503": 1}
