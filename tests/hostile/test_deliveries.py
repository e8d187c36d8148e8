"""Deliveries at once, answers that nobody hears, killed processes: each event has one effect."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from http.client import HTTPException
from itertools import chain, repeat
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from message import new_id
from outbox import OutboxEmail, State
from tests.hostile.events import (
    SENDERS,
    WEBHOOK,
    checkout,
    post_batch,
    post_event,
    sender,
    signature,
)
from tools.fixtures import StartSite
from tools.processes import PATIENCE, wait_until
from tools.provider_events import HEADERS, body_of, sendgrid_event
from tools.simulator_process import Simulator
from tools.site import BEARER, JSON, OURS, Site
from tools.wire import WireAnswer, request, send_without_listening

pytestmark = pytest.mark.slow

EVENTS, AT_ONCE = 200, 8
KILL_AFTER = 20  # deliveries before a kill, and emails they are about


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


def deliver_until_accepted(deliver: Callable[[], WireAnswer]) -> None:
    """As all senders do: again and again until there is a 200."""

    def taken() -> bool:
        try:
            return deliver().status == 200
        except (OSError, HTTPException):  # nobody there, or killed in the middle
            return False

    wait_until(taken, "a 200")


def test_a_killed_process_neither_loses_nor_doubles_an_event(
    start_site: StartSite, database_url: str
):
    site = start_site(database_url)
    emails = [site.send_email("ann@example.com") for _ in range(KILL_AFTER)]
    deliveries = [sender(site, name, email_id) for email_id in emails for name in SENDERS]
    with (
        site.stores(events=len(deliveries), outbox=len(emails)),
        ThreadPoolExecutor(4) as pool,
    ):
        sending = [pool.submit(deliver_until_accepted, deliver) for deliver in deliveries]
        for number in (KILL_AFTER, KILL_AFTER * 2):
            wait([sending[number]], timeout=PATIENCE)
            site.process.kill()
            site.start()
        for each in sending:
            each.result()
    for email_id in emails:
        assert {"opened": 1, "clicked": 1}.items() <= Counter(site.timeline(email_id)).items()


def test_a_process_killed_after_the_commit_leaves_an_event_that_counts_once(
    start_site: StartSite, database_url: str
):
    """The sender hears nothing, and delivers again what is stored already."""
    site = start_site(database_url)
    email_id = site.send_email("ann@example.com")
    body = body_of([sendgrid_event("click", email_id), sendgrid_event("open", email_id)])
    headers = [*OURS, JSON, *HEADERS["sendgrid"](body).items()]
    with site.stores(events=2):
        before = site.rows()
        send_without_listening(site.port, request("POST", "/api/webhooks/sendgrid", headers, body))
        wait_until(lambda: site.rows() != before, "the commit")
        site.process.kill()
        site.start()
        assert site.send("POST", "/api/webhooks/sendgrid", headers[1:], body).status == 200
    assert {"opened": 1, "clicked": 1}.items() <= Counter(site.timeline(email_id)).items()


def deliver_parts_at_once(site: Site, batch: list[dict[str, Any]]) -> None:
    """A batch, and 45 times some of it in another order."""
    chance = Random(46)  # noqa: S311  the same parts in each run
    batches = [batch, *(chance.sample(batch, chance.randint(5, len(batch))) for _ in range(45))]
    with site.stores(events=len(batch)), ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda events: post_batch(site, events), batches))
    assert Counter(answer.status for answer in answers) == {200: 46}


def test_a_batch_about_emails_we_never_sent_waits_for_nobody_either(site: Site):
    deliver_parts_at_once(site, [sendgrid_event("open", new_id()) for _ in range(200)])


def test_a_batch_that_is_delivered_46_times_8_at_once_in_any_order_counts_once(site: Site):
    """Parts of it, shuffled anew each time: nobody may wait for a lock of somebody who waits."""
    emails = [site.send_email(f"{new_id()}@example.com") for _ in range(10)]
    kinds = ("processed", "deferred", "delivered", "bounce", "spamreport")
    batch = [sendgrid_event(kind, email_id) for kind in kinds for email_id in emails]
    deliver_parts_at_once(site, batch)
    for email_id in emails:
        counts = Counter(site.timeline(email_id))
        words = ("queued", "deferred", "delivered", "bounced", "complained")
        assert {word: counts[word] for word in words} == dict.fromkeys(words, 1)
        answer = site.send("GET", f"/api/emails/{email_id}", [BEARER])
        email = json.loads(answer.body)
        assert (email["delivery_status"], email["marks"]) == (
            "delivered",
            ["bounced", "complained"],
        )
