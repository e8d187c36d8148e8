"""The stub of a provider: every sender gets the answer that it wants, and every email counts."""

from pathlib import Path

import pytest
import requests

from tools.benchmarks import ours, peers
from tools.benchmarks.children import Child
from tools.benchmarks.sender import WARM_UP
from tools.benchmarks.stubs import Stub


@pytest.mark.parametrize("name", [*peers.SENDERS, *ours.SENDERS])
def test_each_sender_takes_its_answer_for_a_yes(stub: Stub, tmp_path: Path, name: str):
    for url in (stub.http, stub.https):
        with Child("tools.benchmarks.sender", [name, url], stub.trust, tmp_path / "log") as sender:
            sender.wait()
            assert stub.wait(WARM_UP, 0).emails == WARM_UP
            sent = sender.ask(0.01)["emails"]
            assert stub.wait(0, 0).emails == WARM_UP + sent
        stub.reset()


def test_a_batch_counts_by_its_emails_and_gets_as_many_ids(stub: Stub):
    answer = requests.post(f"{stub.http}/emails/batch", json=[{}, {}, {}], timeout=10)
    assert len({each["id"] for each in answer.json()["data"]}) == 3
    assert stub.wait(3, 0).emails == 3


def test_what_came_before_is_forgotten_on_demand(stub: Stub):
    requests.post(f"{stub.http}/emails", json={}, timeout=10)
    stub.reset(latency=0.01)
    assert stub.wait(1, 0).emails == 0
    requests.post(f"{stub.http}/emails", json={}, timeout=10)
    arrived = stub.wait(1, 10)
    assert arrived.emails == 1
    assert arrived.first == arrived.last > 0
