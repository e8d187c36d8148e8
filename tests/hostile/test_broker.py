"""Accepting while Redis is refused, stopped, silent or full: every request 202, and none waits."""

import sys

import pytest

from tools.brokers import BROKERS, Broker, accept, in_words, settings
from tools.fixtures import StartSite

pytestmark = pytest.mark.slow

REQUESTS = 50
BLOCKED = 0.5  # seconds that a broker with our timeouts costs whoever waits for it


@pytest.mark.parametrize("broker", BROKERS)
def test_a_broker_that_fails_costs_no_email_and_next_to_no_time(
    start_site: StartSite, broker: Broker, capsys: pytest.CaptureFixture[str]
):
    with broker() as url:
        times = accept(start_site(**settings(url, REQUESTS)), REQUESTS)
    with capsys.disabled():
        sys.stdout.write(f" {broker.__name__}: {in_words(times)} ")
    assert sum(times) < REQUESTS * BLOCKED
