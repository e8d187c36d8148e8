"""Emails that share one call, at the simulator: each arrives once, whatever the answer."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from database import transaction, utc_now
from message import Attachment
from outbox.delivery import finish
from outbox.sweep import sweep
from outbox.tables import Attempt, OutboxBatch, State
from tests.conftest import MakeApp
from tests.outbox.rows import change, claim, ids_of, queue, row
from tools.simulator_process import Simulator

PAST = timedelta(seconds=1)


@pytest.fixture
def app(make_app: MakeApp, database_url: str, simulator: Simulator) -> Iterator[Flask]:
    app = make_app(
        DATABASE_URL=database_url, EMAIL_PROVIDER="resend", RESEND_API_KEY="re_x",
        RESEND_BASE_URL=simulator.url, RESEND_RATE="off", EMAIL_LEASE="40",
    )  # fmt: skip
    with app.app_context():
        yield app


def several(*local_parts: str) -> list[str]:
    """Emails to these people, queued."""
    return [queue(to=f"{each}@example.com") for each in local_parts]


def batches() -> list[OutboxBatch]:
    with transaction() as session:
        return list(session.scalars(select(OutboxBatch)).all())


def deliver() -> None:
    finish(claim(5))


def hasten(*ids: str) -> None:
    """Let the wait before the next attempt be over."""
    for each in (*ids, *(batch.id for batch in batches())):
        change_row(each)


def change_row(row_id: str) -> None:
    with transaction() as session:
        found = session.get(OutboxBatch, row_id)
        if found:
            found.due_at = utc_now() - PAST
    change(row_id, due_at=utc_now() - PAST)


def states(ids: list[str]) -> list[str]:
    return [row(each).state for each in ids]


def copies(simulator: Simulator, *local_parts: str) -> list[int]:
    return [len(simulator.accepted(f"{each}@example.com")) for each in local_parts]


def test_what_is_due_at_once_goes_out_in_one_call(app: Flask, simulator: Simulator):
    ids = several("ann", "bob", "cem")
    deliver()
    assert states(ids) == [State.ACCEPTED] * 3
    assert simulator.answers("resend")["200"] == 1
    assert len({row(each).provider_message_id for each in ids}) == 3
    assert [len(row(each).message["to"]) for each in ids] == [1] * 3
    assert batches() == []


def test_a_hundred_share_a_call_and_the_next_begins_another(app: Flask, simulator: Simulator):
    ids = several(*(f"user{number}" for number in range(120)))
    deliver()
    assert states(ids) == [State.ACCEPTED] * 120
    assert simulator.answers("resend")["200"] == 2


def test_a_lone_email_is_no_batch(app: Flask):
    [email_id] = several("ann")
    [job] = claim(5)
    assert (job.batch_id, ids_of([job])) == (None, [email_id])


def test_attachments_go_out_alone(app: Flask, simulator: Simulator):
    several("ann", "bob")
    queue(to="cem@example.com", attachments=[Attachment(filename="a.txt", content=b"hi")])
    assert sorted(len(job.rows) for job in claim(5)) == [1, 2]


def test_with_email_batch_off_each_has_its_own_call(app: Flask):
    app.config["EMAIL_BATCH"] = False
    several("ann", "bob")
    assert [len(job.rows) for job in claim(5)] == [1, 1]


def test_one_that_is_refused_fails_alone(app: Flask, simulator: Simulator):
    bad, good = several("422", "bob")
    deliver()
    assert states([bad, good]) == [State.FAILED, State.ACCEPTED]
    assert simulator.answers("resend")["200"] == 1


def test_a_batch_that_is_refused_as_a_whole_falls_apart(app: Flask, simulator: Simulator):
    ids = several("422-1", "bob")  # refuses the whole of the first call
    deliver()
    assert (states(ids), row(ids[1]).attempts, batches()) == ([State.QUEUED] * 2, 0, [])
    hasten(*ids)
    claimed = claim(5)
    assert [len(job.rows) for job in claimed] == [1, 1]
    finish(claimed)
    assert states(ids) == [State.ACCEPTED] * 2


def test_an_outage_lets_them_form_a_new_batch(app: Flask, simulator: Simulator):
    ids = several("500-1", "bob")
    deliver()
    assert (states(ids), batches()) == ([State.QUEUED] * 2, [])
    hasten(*ids)
    deliver()
    assert states(ids) == [State.ACCEPTED] * 2


def test_a_lost_answer_repeats_the_same_bytes_under_the_same_key(app: Flask, simulator: Simulator):
    ids = several("drop-after-accept-1", "bob")
    deliver()
    assert states(ids) == [State.QUEUED] * 2
    [batch] = batches()
    assert {row(each).batch_id for each in ids} == {batch.id}
    hasten(*ids)
    [job] = claim(5)  # none of them goes out by itself
    assert job.rows[0].id == batch.id
    finish([job])
    assert (states(ids), batches()) == ([State.ACCEPTED] * 2, [])
    assert copies(simulator, "drop-after-accept-1", "bob") == [1, 1]
    assert all(row(each).provider_message_id for each in ids)


def lost_answer() -> list[str]:
    """Two emails whose batch was accepted, though nobody heard it."""
    ids = several("drop-after-accept-1", "bob")
    deliver()
    return ids


def test_one_that_expires_meanwhile_is_unknown_until_the_repeat_says_yes(
    app: Flask, simulator: Simulator
):
    ids = lost_answer()
    change(ids[1], expires_at=utc_now() - PAST)
    sweep()
    assert states(ids) == [State.QUEUED, State.UNKNOWN]
    hasten(ids[0])
    deliver()
    assert states(ids) == [State.ACCEPTED] * 2
    assert copies(simulator, "drop-after-accept-1", "bob") == [1, 1]


def test_once_the_key_is_forgotten_nobody_knows_and_none_is_sent_again(
    app: Flask, simulator: Simulator
):
    ids = lost_answer()
    with transaction() as session:
        for attempt in session.scalars(select(Attempt)):
            attempt.started_at -= timedelta(hours=25)
    hasten(*ids)
    deliver()
    assert (states(ids), batches()) == ([State.UNKNOWN] * 2, [])
    assert copies(simulator, "drop-after-accept-1", "bob") == [1, 1]


def die_with(batch_id: str) -> None:
    """What a SIGKILL during the call of a batch leaves, once the lease has run out."""
    past = utc_now() - PAST
    with transaction() as session:
        lost = session.get_one(OutboxBatch, batch_id)
        lost.state, lost.lease_until, lost.calling_since = State.SENDING, past, past
    sweep()


def test_after_three_deaths_alone_nobody_knows_of_any_of_them(app: Flask, simulator: Simulator):
    ids = lost_answer()
    [batch] = batches()
    for _ in range(3):
        die_with(batch.id)
        assert claim(5) == []  # neither with others, nor one by one
    assert states(ids) == [State.QUEUED] * 2
    die_with(batch.id)
    assert (states(ids), batches()) == ([State.UNKNOWN] * 2, [])


def test_a_process_that_died_before_the_call_leaves_them_as_they_were(app: Flask):
    ids = several("ann", "bob")
    [job] = claim(5)
    assert len(job.rows) == 2
    for each in ids:
        change(each, lease_until=utc_now() - PAST)
    sweep()
    assert [(row(each).state, row(each).batch_id, row(each).quarantined) for each in ids] == [
        (State.QUEUED, None, False)
    ] * 2
