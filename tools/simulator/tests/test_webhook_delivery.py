"""How webhooks are delivered: tries, repeats, order, and that accepting waits for none of it."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from svix.webhooks import Webhook

from tools.processes import free_port, wait_until
from tools.simulator import channel, resend_events, sendgrid_events, sequenzy_events, webhooks
from tools.simulator.channel import Channel, Manner
from tools.simulator.events import Event
from tools.simulator.history import History, Post
from tools.simulator.tests.conftest import RESEND, VENDORS, resend_to
from tools.simulator.tests.listener import CLOSE, HOLD, Listener, Received
from tools.simulator.webhook_secrets import RESEND_SECRET, Secrets
from tools.simulator.webhooks import VENDORS as SENDERS
from tools.simulator_process import Simulator

Start = Callable[..., Simulator]
HURRY = ["--webhook-hurry", "10000000"]  # no wait is longer than a tenth of a second
TRIES = {"resend": 8, "sendgrid": 12, "sequenzy": 16}

vendor = pytest.mark.parametrize("vendor", VENDORS)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def start(listener: Listener, tmp_path: Path) -> Iterator[Start]:
    """`start(option, …, url=…)`: a simulator that reports to the listener, or to `url`."""
    with ExitStack() as stack:

        def start(*options: str, url: str = "") -> Simulator:
            log = tmp_path / f"{free_port()}.jsonl"
            return stack.enter_context(
                Simulator(log, ["--webhooks", url or listener.url, *options])
            )

        yield start


def send(simulator: Simulator, path: str, payload: Any) -> requests.Response:
    headers = {"Authorization": "Bearer key"}
    answer = requests.post(simulator.url + path, json=payload, headers=headers, timeout=10)
    assert answer.ok
    return answer


def first_then_200(status: int) -> Callable[[Received], int]:
    """Answers the first POST with `status`, and all others with 200."""
    statuses = iter([status])
    return lambda _: next(statuses, 200)


def fails_each_once(status: int) -> Callable[[Received], int]:
    """Answers `status` when an event of a POST is new, and 200 afterwards."""
    seen: set[bytes] = set()

    def answer(received: Received) -> int:
        known = received.body in seen
        seen.add(received.body)
        return 200 if known else status

    return answer


def statuses(simulator: Simulator) -> list[Any]:
    return [attempt["status"] or attempt["error"] for attempt in simulator.reported()]


@vendor
@pytest.mark.parametrize("status", [500, 404, 302, 304])
def test_whatever_is_not_2xx_is_tried_again(start: Start, listener: Listener, vendor, status):
    listener.answer = fails_each_once(status)
    simulator = start(*HURRY)
    send(simulator, *VENDORS[vendor]("ann@example.com"))
    assert sorted(statuses(simulator)) == [200] * 2 + [status] * 2
    assert {each.path for each in listener.received} == {f"/api/webhooks/{vendor}"}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_whatever_is_2xx_is_enough(start: Start, listener: Listener, status):
    listener.answer = lambda _: status
    simulator = start(*HURRY)
    send(simulator, *resend_to("ann@example.com"))
    assert statuses(simulator) == [status] * 2


@vendor
def test_a_vendor_gives_up_in_the_end(start: Start, listener: Listener, vendor):
    listener.answer = lambda _: 503
    simulator = start(*HURRY)
    send(simulator, *VENDORS[vendor]("ann@example.com"))
    assert statuses(simulator) == [503] * 2 * TRIES[vendor]


def test_the_waits_between_tries_are_those_of_the_vendor():
    assert list(resend_events.VENDOR.waits) == [5, 300, 1800, 7200, 18000, 36000, 36000]
    for waits, most in (
        (sendgrid_events.VENDOR.waits, 24 * 3600),
        (sequenzy_events.VENDOR.waits, 7 * 24 * 3600),
    ):
        assert sorted(waits) == list(waits)
        assert most / 2 < sum(waits) <= most


def test_a_retry_of_resend_has_the_same_id_and_a_fresh_signature(start: Start, listener: Listener):
    listener.answer = first_then_200(500)
    simulator = start("--webhook-hurry", "4")  # 1.25 s: the timestamp counts seconds
    send(simulator, *resend_to("ann@example.com"))
    simulator.reported()
    first = listener.received[0]
    [_, again] = [each for each in listener.received if each.body == first.body]
    assert again.headers["svix-id"] == first.headers["svix-id"]
    assert int(again.headers["svix-timestamp"]) > int(first.headers["svix-timestamp"])
    assert again.headers["svix-signature"] != first.headers["svix-signature"]
    Webhook(RESEND_SECRET).verify(again.body, again.headers)


def test_a_retry_of_sendgrid_is_the_same_signed_batch(start: Start, listener: Listener):
    listener.answer = first_then_200(500)
    simulator = start(*HURRY)
    send(simulator, *VENDORS["sendgrid"]("ann@example.com"))
    simulator.reported()
    first, again = listener.received
    assert again.body == first.body
    name = "x-twilio-email-event-webhook-signature"
    assert again.headers[name] == first.headers[name]


def test_sequenzy_waits_4_seconds_for_an_answer(start: Start, listener: Listener):
    listener.answer = first_then_200(HOLD)
    simulator = start(*HURRY)
    send(simulator, *VENDORS["sequenzy"]("ann@example.com"))
    assert "no answer within 4 s" in statuses(simulator)
    assert statuses(simulator).count(200) == 2
    assert [each.patience for each in SENDERS if each.name == "resend"] == [15]


@pytest.mark.parametrize("gone", [True, False])
def test_a_lost_connection_is_tried_again(start: Start, listener: Listener, gone: bool):
    listener.answer = lambda _: CLOSE
    simulator = start(*HURRY, url=f"http://127.0.0.1:{free_port()}" if gone else "")
    send(simulator, *resend_to("ann@example.com"))
    words = "connection refused" if gone else "no answer: RemoteDisconnected"
    assert statuses(simulator) == [words] * 2 * TRIES["resend"]


def test_the_page_shows_how_the_last_try_was_answered(start: Start, listener: Listener):
    listener.answer = lambda _: 404
    simulator = start(*HURRY)
    send(simulator, *resend_to("ann@example.com"))
    simulator.reported()
    page = requests.get(simulator.url, timeout=10).text
    assert page.count("<span class=failed>email.sent 404</span>") == 1


def test_every_attempt_is_listed_with_what_it_was_about(start: Start, listener: Listener):
    simulator = start()
    email_id = send(simulator, *resend_to("ann@example.com")).json()["id"]
    sent, delivered = simulator.reported()
    told = json.loads(listener.received[1].body)
    assert delivered.pop("at")[:10] == told["created_at"][:10]
    assert delivered == {
        "provider": "resend",
        "post": 2,
        "type": "email.delivered",
        "event_id": listener.received[1].headers["svix-id"],
        "email_id": email_id,
        "recipient": "ann@example.com",
        "status": 200,
        "error": "",
    }
    assert sent["post"] == 1
    assert [each["post"] for each in simulator.webhooks(since=1)["attempts"]] == [2]


def test_accepting_waits_for_no_webhook(start: Start, listener: Listener):
    listener.answer = lambda _: HOLD
    simulator = start()
    for _ in range(20):
        send(simulator, *resend_to("ann@example.com"))
    assert simulator.webhooks()["waiting"] == 40
    assert simulator.webhooks()["attempts"] == []
    assert len(simulator.accepted()) == 20


def test_it_ends_while_a_webhook_is_unanswered(start: Start, listener: Listener):
    listener.answer = lambda _: HOLD
    simulator = start()
    for to in VENDORS.values():
        send(simulator, *to("ann@example.com"))
    wait_until(lambda: len(listener.received) == len(VENDORS), "a post to each webhook")
    assert simulator.stop() == 0


def test_clearing_forgets_what_waits_and_what_was_posted(start: Start, listener: Listener):
    simulator = start()
    send(simulator, *resend_to("ann@example.com"))
    simulator.reported()
    cleared = threading.Event()
    listener.answer = lambda _: 200 if cleared.wait(10) else 500
    send(simulator, *resend_to("bounce@example.com"))
    wait_until(lambda: len(listener.received) == 3, "the third post")
    simulator.clear()
    assert simulator.webhooks() == {
        "url": listener.url, "waiting": 0, "lost": 0, "attempts": [],
    }  # fmt: skip
    cleared.set()  # the answer to the third post comes too late to count
    simulator.replay(1)
    send(simulator, *resend_to("suppressed@example.com"))
    assert [attempt["type"] for attempt in simulator.reported()] == ["email.suppressed"]


def test_without_an_address_nothing_is_reported(tmp_path: Path):
    with Simulator(tmp_path / "log.jsonl") as simulator:
        send(simulator, *resend_to("ann@example.com"))
        simulator.replay(1)
        assert simulator.webhooks() == {"url": "", "waiting": 0, "lost": 0, "attempts": []}


def test_events_come_in_the_order_in_which_they_happened(start: Start, listener: Listener):
    simulator = start()
    assert order_of_a_batch(simulator, listener) == [
        (index, kind) for index in range(50) for kind in ("email.sent", "email.delivered")
    ]


def order_of_a_batch(simulator: Simulator, listener: Listener) -> list[tuple[int, str]]:
    """In which order the events of 50 emails arrive: index of the email, type."""
    listener.received.clear()
    batch = send(simulator, "/emails/batch", [RESEND] * 50).json()["data"]
    simulator.reported()
    ids = [item["id"] for item in batch]
    return [(ids.index(each["data"]["email_id"]), each["type"]) for each in listener.events()]


def test_reordered_events_all_come_in_an_order_drawn_from_the_seed(
    start: Start, listener: Listener
):
    orders = [
        order_of_a_batch(start("--webhook-reorder", "--seed", seed), listener)
        for seed in ("7", "7", "8")
    ]
    assert orders[0] == orders[1] != orders[2]
    for order in orders:
        assert order != sorted(order)
        assert Counter(order) == {
            (index, kind): 1 for index in range(50) for kind in ("email.sent", "email.delivered")
        }


@pytest.mark.parametrize("vendor", ["resend", "sequenzy"])
def test_a_duplicate_has_the_id_of_the_first(start: Start, listener: Listener, vendor):
    simulator = start("--webhook-duplicates", "1")
    send(simulator, *VENDORS[vendor]("ann@example.com"))
    ids = Counter(attempt["event_id"] for attempt in simulator.reported())
    assert list(ids.values()) == [2, 2]
    assert set(Counter(each.body for each in listener.received).values()) == {2}


def test_a_duplicate_of_sendgrid_has_ids_of_its_own(start: Start, listener: Listener):
    simulator = start("--webhook-duplicates", "1")
    send(simulator, *VENDORS["sendgrid"]("ann@example.com"))
    simulator.reported()
    first, again = (each.events for each in listener.received)
    ids = [event.pop("sg_event_id") for event in first + again]
    assert len(set(ids)) == 4
    assert again == first


def duplicated(simulator: Simulator) -> list[int]:
    """Which of 40 emails had their first event twice, one email after the other."""
    for _ in range(40):
        send(simulator, *resend_to("suppressed@example.com"))
        simulator.reported()
    counts = Counter(attempt["email_id"] for attempt in simulator.reported())
    return [place for place, count in enumerate(counts.values()) if count == 2]


def test_the_share_of_duplicates_is_drawn_from_the_seed(start: Start):
    runs = [
        duplicated(start("--webhook-duplicates", "0.5", "--seed", seed)) for seed in ("7", "7", "8")
    ]
    assert runs[0] == runs[1] != runs[2]
    assert 0 < len(runs[0]) < 40


def test_a_replay_posts_the_same_signed_batch_many_times_in_random_order(
    start: Start, listener: Listener
):
    simulator = start()
    send(simulator, *VENDORS["sendgrid"]("ann@example.com"))
    simulator.reported()
    for name in ("bounce", "deferred", "open"):
        send(simulator, *VENDORS["sendgrid"](f"{name}@example.com"))
        simulator.reported()
    before = [each.body for each in listener.received]
    simulator.replay(46)
    simulator.reported()
    after = [each.body for each in listener.received[len(before) :]]
    assert Counter(after) == dict.fromkeys(before, 46)
    assert after not in (before * 46, sorted(after, key=before.index))
    signature = "x-twilio-email-event-webhook-signature"
    assert len({each.headers[signature] for each in listener.received}) == len(before)


def test_a_replay_of_resend_keeps_the_ids_and_is_signed_anew(start: Start, listener: Listener):
    simulator = start()
    send(simulator, *resend_to("ann@example.com"))
    simulator.reported()
    simulator.replay(2)
    attempts = simulator.reported()
    assert list(Counter(each["event_id"] for each in attempts).values()) == [3, 3]
    for each in listener.received:
        Webhook(RESEND_SECRET).verify(each.body, each.headers)


def test_a_replay_that_would_fill_the_memory_is_refused(start: Start):
    simulator = start()
    send(simulator, *resend_to("ann@example.com"))
    simulator.reported()
    answer = requests.post(f"{simulator.url}/webhooks/replay?times=99999999", timeout=10)
    assert answer.status_code == 400
    assert str(webhooks.MAX_REPLAYED) in answer.json()["error"]
    assert simulator.webhooks()["waiting"] == 0


def test_several_threads_post_at_once(start: Start, listener: Listener):
    listener.answer = lambda _: HOLD
    simulator = start("--webhook-threads", "3")
    send(simulator, "/emails/batch", [RESEND] * 10)
    wait_until(lambda: len(listener.received) == 3, "three posts that are all unanswered")


def test_what_waits_is_bounded_and_what_is_lost_is_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(channel, "MAX_WAITING", 3)
    own = Channel(resend_events.VENDOR, "http://127.0.0.1:1", Secrets(), Manner(), History())
    event = Event(id="1", type="email.sent", email_id="e", recipient="a@b.co", fields={})
    own.add([event] * 2)
    own.add([event] * 2)
    assert own.counts() == (3, 1)
    own.replay([Post(provider="resend", events=[event] * 2, body=b"")])
    own.add([event] * 3)
    assert own.counts() == (5, 4)
    own.clear()
    assert own.counts() == (0, 0)
