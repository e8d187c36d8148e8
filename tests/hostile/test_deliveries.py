"""Deliveries at once, answers that nobody hears, killed processes: each event has one effect."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from http.client import HTTPException
from itertools import chain, repeat
from typing import Any

from sqlalchemy import func, select

from message import new_id
from models import OutboxEmail, State
from tests.hostile.conftest import StartSite
from tests.hostile.events import WEBHOOK, checkout, post_event, signature
from tests.hostile.site import JSON, OURS, Site
from tests.hostile.wire import request, send_without_listening
from tests.processes import PATIENCE, wait_until
from tests.simulator.process import Simulator

EVENTS, AT_ONCE = 200, 8
KILL_AFTER = 20  # deliveries between two kills


def customers(count: int) -> list[str]:
    return [f"{new_id()}@example.com" for _ in range(count)]


def accepted(site: Site, recipients: list[str]) -> int:
    """How many emails to these addresses the provider has accepted, as we recorded it."""
    mine = OutboxEmail.recipient.in_(recipients) & (OutboxEmail.state == State.ACCEPTED)
    with site.engine.connect() as connection:
        return connection.scalar(select(func.count(OutboxEmail.id)).where(mine)) or 0


def test_200_events_delivered_8_times_at_once_send_200_receipts(
    site: Site, simulator_process: Simulator
):
    people = customers(EVENTS)
    deliveries = chain.from_iterable(repeat(checkout(person), AT_ONCE) for person in people)
    with site.stores(events=EVENTS, outbox=EVENTS), ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda event: post_event(site, event), deliveries))
    assert Counter(answer.status for answer in answers) == {200: EVENTS * AT_ONCE}
    wait_until(lambda: accepted(site, people) == EVENTS, "all receipts")
    sent = Counter(record["recipients"][0] for record in simulator_process.accepted())
    assert {person: sent[person] for person in people} == dict.fromkeys(people, 1)


def test_a_sender_that_never_heard_the_answer_may_deliver_again(site: Site):
    event = checkout("ann@example.com")
    body = str(event).replace("'", '"').encode()
    data = request("POST", WEBHOOK, [*OURS, JSON, signature(body)], body)
    before = site.rows()
    with site.stores(events=1, outbox=1):
        send_without_listening(site.port, data)
        wait_until(lambda: site.rows() != before, "the first delivery")
        assert post_event(site, body).status == 200


def deliver_until_accepted(site: Site, event: dict[str, Any]) -> None:
    """As Stripe does: again and again until there is a 200."""

    def taken() -> bool:
        try:
            return post_event(site, event).status == 200
        except (OSError, HTTPException):  # nobody there, or killed in the middle
            return False

    wait_until(taken, "a 200")


def test_a_killed_process_neither_loses_nor_doubles_an_event(
    start_site: StartSite, database_url: str
):
    site = start_site(database_url)
    people = customers(KILL_AFTER * 3)
    with site.stores(events=len(people), outbox=len(people)), ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(deliver_until_accepted, site, checkout(person)) for person in people]
        for number in (KILL_AFTER, KILL_AFTER * 2):
            wait([sending[number]], timeout=PATIENCE)
            site.process.kill()
            site.start()
        for each in sending:
            each.result()
