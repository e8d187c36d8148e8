"""What the simulator accepted outlives it: records and keys after SIGKILL, and a damaged log."""

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tools.simulator.application import Application
from tools.simulator.exchange import Request
from tools.simulator.ledger import Accepted, KeyReused, Ledger, ReceivedEmail, Submission
from tools.simulator.misbehaviour import FaultMix, Misbehaviour
from tools.simulator.tests.conftest import RESEND, SEQUENZY
from tools.simulator_process import Simulator


def send(simulator: Simulator, payload: Any, key: str, path: str = "/emails") -> requests.Response:
    headers = {"Authorization": "Bearer k", "Idempotency-Key": key}
    return requests.post(simulator.url + path, json=payload, headers=headers, timeout=10)


def test_emails_and_keys_survive_a_sigkill(tmp_path):
    with Simulator(tmp_path / "log.jsonl") as simulator:
        url = simulator.url
        first = send(simulator, RESEND, "k-1").json()["id"]
        other = send(simulator, SEQUENZY, "k-1", "/api/v1/transactional/send").json()
        batch = send(simulator, [RESEND, RESEND], "k-2", "/emails/batch").json()
        before = simulator.accepted()
        simulator.restart()
        assert simulator.url == url
        assert simulator.accepted() == before
        assert [record["seq"] for record in before] == [1, 2, 3, 4]
        assert send(simulator, RESEND, "k-1").json()["id"] == first
        assert send(simulator, [RESEND, RESEND], "k-2", "/emails/batch").json() == batch
        again = send(simulator, SEQUENZY, "k-1", "/api/v1/transactional/send").json()
        assert again == other | {"idempotentReplay": True}
        assert send(simulator, RESEND | {"text": "x"}, "k-1").status_code == 409
        assert simulator.accepted() == before


def test_whatever_was_answered_under_load_is_on_disk_after_a_sigkill(tmp_path):
    answered: list[str] = []

    def keep_sending(worker: int) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = "Bearer k"
            for _ in range(1000):
                try:
                    answer = session.post(f"{simulator.url}/emails", json=RESEND, timeout=10)
                except requests.ConnectionError:
                    return
                answered.append(answer.json()["id"])

    with Simulator(tmp_path / "log.jsonl") as simulator, ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(keep_sending, worker) for worker in range(4)]
        while len(answered) < 100 and not all(worker.done() for worker in workers):
            simulator.accepted(since=10_000)
        simulator.kill()
        for worker in workers:
            worker.result()
        simulator.start()
        ids = {record["id"] for record in simulator.accepted()}
    assert len(answered) >= 100
    assert set(answered) <= ids
    assert len(ids) <= len(answered) + 4


def test_a_truncated_last_line_is_cut_away(tmp_path):
    log = tmp_path / "log.jsonl"
    with Simulator(log) as simulator:
        first = send(simulator, RESEND, "k-1").json()["id"]
        send(simulator, RESEND, "k-2")
        simulator.kill()
        log.write_bytes(log.read_bytes()[:-20])
        simulator.start()
        assert [record["id"] for record in simulator.accepted()] == [first]
        third = send(simulator, RESEND, "k-2").json()["id"]
        assert [record["id"] for record in simulator.accepted()] == [first, third]
        simulator.restart()
        assert [record["id"] for record in simulator.accepted()] == [first, third]


def test_an_ended_simulator_says_so_with_exit_code_0(tmp_path):
    with Simulator(tmp_path / "log.jsonl") as simulator:
        assert simulator.stop() == 0


def test_with_ignored_keys_every_request_is_a_new_email(tmp_path):
    with Simulator(tmp_path / "log.jsonl", ["--ignore-keys"]) as simulator:
        assert send(simulator, RESEND, "k-1").json() != send(simulator, RESEND, "k-1").json()
        assert [record["idempotency_key"] for record in simulator.accepted()] == ["k-1", "k-1"]


def submission(*names: str, key: str | None = None, lifetime: int = 60) -> Submission:
    emails = [
        ReceivedEmail(id=name, sender="a@b.co", to=["c@d.co"], headers={}, metadata={}, payload={})
        for name in names
    ]
    return Submission(
        provider="resend", key=key, key_lifetime=lifetime, body_sha256="0", emails=emails
    )


def test_a_batch_that_was_cut_off_is_cut_away_whole(tmp_path):
    path = tmp_path / "log.jsonl"
    ledger = Ledger(path)
    ledger.accept(submission("one"))
    ledger.accept(submission("two", "three", key="k-1"))
    ledger.close()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    ledger = Ledger(path)
    assert [json.loads(line)["id"] for line in ledger.records()] == ["one"]
    assert not ledger.accept(submission("two", "three", key="k-1")).replayed
    ledger.close()


def test_a_key_is_forgotten_after_its_lifetime(tmp_path):
    path = tmp_path / "log.jsonl"
    ledger = Ledger(path)
    ledger.accept(submission("one", key="k-1"))
    ledger.close()
    record = json.loads(path.read_text())
    record["at"] = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    path.write_text(json.dumps(record) + "\n")
    ledger = Ledger(path)
    assert ledger.accept(submission("two", key="k-1", lifetime=100)).ids == ("one",)
    assert ledger.accept(submission("two", key="k-1", lifetime=80)).ids == ("two",)
    ledger.close()


def test_a_key_is_accepted_once_by_many_threads(tmp_path):
    ledger = Ledger(tmp_path / "log.jsonl", durable=False)
    threads = 8
    together = threading.Barrier(threads)

    def accept(worker: int) -> list[Accepted]:
        found = []
        for number in range(200):
            together.wait()
            found.append(ledger.accept(submission(f"{number}.{worker}", key=str(number))))
        return found

    with ThreadPoolExecutor(threads) as pool:
        columns = list(pool.map(accept, range(threads)))
    for found in zip(*columns, strict=True):
        assert len({accepted.ids for accepted in found}) == 1
        assert [accepted.replayed for accepted in found].count(False) == 1
    assert ledger.count() == 200
    ledger.close()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write = os.write

    def half(file: int, data: Any) -> int:
        write(file, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tools.simulator.ledger.os.write", half)
        yield


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_a_503_and_leaves_nothing_half_written(tmp_path):
    ledger = Ledger(tmp_path / "log.jsonl")
    application = Application(ledger, Misbehaviour(FaultMix()))
    request = Request(
        method="POST",
        path="/emails",
        query={},
        headers={"authorization": "Bearer k", "user-agent": "x", "idempotency-key": "k-1"},
        body=json.dumps(RESEND).encode(),
    )
    answer, _ = application.respond(request, wait=lambda seconds: None)
    assert answer.status == 503
    assert (tmp_path / "log.jsonl").read_bytes() == b""
    assert ledger.count() == 0
    ledger.close()


def test_a_log_that_is_none_is_refused_with_its_line(tmp_path: Path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"part": 1, "parts": 2}\nhello\n')
    with pytest.raises(ValueError, match="line 2 is no record"):
        Ledger(path)


def test_another_body_under_a_known_key_is_told(tmp_path):
    ledger = Ledger(tmp_path / "log.jsonl")
    ledger.accept(submission("one", key="k-1"))
    other = Submission(
        provider="resend",
        key="k-1",
        key_lifetime=60,
        body_sha256="1",
        emails=submission("two").emails,
    )
    with pytest.raises(KeyReused):
        ledger.accept(other)
    ledger.close()


@pytest.mark.parametrize(
    ("durable", "expected"), [(True, ["on disk", "answered"]), (False, ["answered"])]
)
def test_the_disk_has_the_email_before_the_answer(tmp_path, monkeypatch, durable, expected):
    order: list[str] = []
    ledger = Ledger(tmp_path / "log.jsonl", durable=durable)
    monkeypatch.setattr("tools.simulator.ledger.os.fsync", lambda file: order.append("on disk"))
    ledger.accept(submission("one"))
    order.append("answered")
    assert order == expected
    ledger.close()
