"""Accepting without a broker at its full size: every request 202, every email sent by the sweeper.

`make faults` prints what accepting took; `tests/hostile` does the same in small.
"""

import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tools.brokers import BROKERS, Broker, accept, in_words, settings
from tools.drill.faults.web import received
from tools.drill.rows import Rows
from tools.fixtures import StartSite
from tools.processes import Process, wait_until
from tools.simulator_process import Simulator

EMAILS = 500
WORKER = ["celery", "-A", "tasks", "worker", "--loglevel=info"]


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_accepted_without_a_broker_is_sent_by_the_sweeper(
    broker: Broker,
    start_site: StartSite,
    simulator: Simulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with broker() as url:
        site = start_site(EMAIL_SWEEP="0.5", **settings(url, EMAILS))
        times = accept(site, EMAILS)
        assert simulator.accepted() == []
        # Its broker fails as well, so that no wake-up can reach it.
        worker = Process(WORKER, site.process.variables, tmp_path / "worker.log")
        began = time.monotonic()
        with worker, closing(Rows(site.database_url)) as rows:
            wait_until(lambda: rows.counts() == (EMAILS, EMAILS), "the sweeper", patience=120)
        seconds = time.monotonic() - began
    with capsys.disabled():
        sys.stdout.write(
            f" {broker.__name__}: {in_words(times)}; all sent after {seconds:.0f} s more "
        )
    assert received(simulator) == Counter(f"user{number}@example.com" for number in range(EMAILS))
