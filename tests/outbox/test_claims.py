"""Claims, leases and what follows when they are lost, on both databases, without any provider."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

import outbox
from database import Limit, limits, transaction, utc_now
from email_service import EmailService
from errors import IntentConflict, OutcomeUnknown, ProviderUnavailable, RateLimited
from message import Attachment, from_json, to_json
from outbox import housekeeping
from outbox.delivery import finish
from outbox.enqueue import enqueue
from outbox.states import MOVES, IllegalMove, check_move, move
from outbox.sweep import sweep
from outbox.tables import Attempt, State
from outbox.turn import Turn, take_turn
from providers import Receipt
from tests.outbox.rows import (
    answer,
    change,
    change_body,
    claim,
    ids_of,
    in_threads,
    message,
    open_attempt,
    queue,
    release,
    row,
    yes,
)


def test_no_two_claims_ever_get_the_same_row(app: Flask):
    ids = [queue() for _ in range(200)]
    claimed: list[str] = []

    def work() -> None:
        while batch := claim(7):
            claimed.extend(ids_of(batch))

    in_threads(8, work, app)
    assert Counter(claimed) == Counter(ids)


def test_a_claim_takes_the_longest_waiting_first_and_no_more_than_asked(app: Flask):
    ids = [queue() for _ in range(3)]
    change(ids[2], due_at=utc_now() - timedelta(minutes=5))
    assert ids_of(claim(2)) == [ids[2], ids[0]]


def test_only_overdue_rows_are_claimed_if_asked(app: Flask):
    late, fresh = queue(), queue()
    change(late, due_at=utc_now() - timedelta(seconds=30))
    assert ids_of(claim(5, overdue=10)) == [late]
    assert row(fresh).state == State.QUEUED


def test_a_released_row_can_be_claimed_again_at_once(app: Flask):
    email_id = queue()
    release(claim(1))
    assert ids_of(claim(1)) == [email_id]


def test_who_lost_the_lease_changes_nothing(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    stale = claim(1)
    change(email_id, lease_until=utc_now() - timedelta(seconds=1))
    sweep()
    called = answer(monkeypatch, yes(), yes())
    finish(stale)
    assert called == []
    assert row(email_id).state == State.QUEUED


def test_a_late_yes_after_a_lost_lease_settles_the_row(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    claimed = claim(1)

    def post(_self: EmailService, _name: str, _request: object) -> Receipt:
        change(email_id, lease_token="somebody-else")
        return yes()

    monkeypatch.setattr(EmailService, "post", post)
    finish(claimed)
    assert row(email_id).state == State.ACCEPTED
    with transaction() as session:
        [attempt] = session.scalars(select(Attempt)).all()
        assert attempt.outcome == "accepted"


def test_nothing_is_sent_on_a_lease_that_ends_before_the_call_could(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    app.config["EMAIL_LEASE"] = 10  # shorter than one call may take
    called = answer(monkeypatch)
    assert outbox.deliver(email_id)
    assert called == []
    assert row(email_id).state == State.QUEUED


@pytest.mark.parametrize(
    ("provider", "calling", "expected", "quarantined"),
    [
        (None, False, State.QUEUED, False),  # died before any call
        ("resend", True, State.QUEUED, True),  # the key makes a repeat safe
        ("sendgrid", True, State.UNKNOWN, True),  # nobody can say
    ],
)
def test_the_sweeper_repeats_only_what_is_safe_to_repeat(
    app: Flask, provider: str | None, calling: bool, expected: State, quarantined: bool
):
    email_id = queue()
    claim(1)
    past = utc_now() - timedelta(seconds=1)
    change(email_id, lease_until=past, provider=provider, calling_since=past if calling else None)
    assert sweep() == 1
    swept = row(email_id)
    assert (swept.state, swept.quarantined, swept.lease_token) == (expected, quarantined, None)


def test_the_sweeper_leaves_a_living_lease_alone(app: Flask):
    queue()
    claim(1)
    assert sweep() == 0


@pytest.mark.parametrize(
    ("policy", "expected"), [("resend", State.QUEUED), ("hold", State.UNKNOWN)]
)
def test_after_the_wait_an_unknown_email_follows_its_own_policy(
    app: Flask, policy: str, expected: State
):
    email_id = queue(if_unknown=policy)
    change(email_id, state=State.UNKNOWN, unknown_since=utc_now() - timedelta(seconds=601))
    sweep()
    assert row(email_id).state == expected


def test_a_refused_connection_moves_on_to_the_next_provider(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    called = answer(monkeypatch, ProviderUnavailable("refused"), yes("sendgrid"))
    assert outbox.deliver(email_id)
    assert outbox.deliver(email_id)
    assert called == ["resend", "sendgrid"]
    assert (row(email_id).state, row(email_id).provider) == (State.ACCEPTED, "sendgrid")


def test_an_unknown_outcome_never_moves_on_even_when_the_repeat_is_refused(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    called = answer(
        monkeypatch, OutcomeUnknown("cut", retryable=True), ProviderUnavailable("refused"), yes()
    )
    for _ in range(3):
        assert outbox.deliver(email_id)
        change(email_id, due_at=utc_now() - timedelta(seconds=1))
    assert called == ["resend"] * 3
    assert row(email_id).state == State.ACCEPTED


def test_an_unknown_outcome_without_keys_waits_for_news(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    change(email_id, provider="sendgrid")
    answer(monkeypatch, OutcomeUnknown("cut", retryable=False))
    outbox.deliver(email_id)
    assert row(email_id).state == State.UNKNOWN
    assert row(email_id).unknown_since is not None


def test_a_repeat_with_other_bytes_is_held(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    called = answer(monkeypatch, OutcomeUnknown("cut", retryable=True), yes())
    outbox.deliver(email_id)
    stored = dict(row(email_id).message)
    change(email_id, due_at=utc_now())
    change_body(email_id, stored | {"subject": "Another"})
    outbox.deliver(email_id)
    assert called == ["resend"]
    assert row(email_id).state == State.UNKNOWN


def test_attempts_end_and_the_email_fails(app: Flask, monkeypatch: pytest.MonkeyPatch):
    app.extensions["email"] = evolve(app.extensions["email"], chain=("resend",))
    email_id = queue()
    change(email_id, attempts=19)
    answer(monkeypatch, ProviderUnavailable("down"))
    outbox.deliver(email_id)
    assert (row(email_id).state, row(email_id).attempts) == (State.FAILED, 20)
    with transaction() as session:
        assert sum(outbox.actions.retry_failed(session)) == 1
    assert (row(email_id).state, row(email_id).attempts) == (State.QUEUED, 0)


def test_a_message_that_cannot_be_read_costs_only_itself(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    poison, innocent = queue(), queue()
    change_body(poison, {"nonsense": True})
    answer(monkeypatch, yes())
    finish(claim(2))
    assert row(poison).state == State.QUEUED  # newer code may read it
    assert "version" in str(row(poison).last_error)
    assert row(innocent).state == State.ACCEPTED


def test_one_intent_key_is_one_row_from_50_requests_at_once(app: Flask):
    ids: list[str] = []

    def work() -> None:
        ids.append(queue(intent_key="receipt:1"))

    in_threads(50, work, app)
    assert len(ids) == 50
    assert len(set(ids)) == 1
    with transaction() as session:
        assert outbox.reading.count_by_state(session)["queued"] == 1


def test_one_intent_key_with_other_fields_is_a_conflict(app: Flask):
    first = message(intent_key="http:send:1")
    with transaction() as session:
        enqueue(session, first, intent_fields={"name": "Ann"})
    with transaction() as session:
        again = enqueue(session, message(intent_key="http:send:1"), intent_fields={"name": "Ann"})
        assert again.id == first.id
    with pytest.raises(IntentConflict), transaction() as session:
        enqueue(session, message(intent_key="http:send:1"), intent_fields={"name": "Bob"})


THREE_AN_HOUR = Limit("letters", "ann@example.com", 3)


def test_the_fourth_email_in_an_hour_is_kept_but_not_sent(app: Flask):
    def work() -> None:
        with transaction() as session:
            enqueue(session, message(), limited_by=[THREE_AN_HOUR])

    in_threads(8, work, app)
    with transaction() as session:
        counts = outbox.reading.count_by_state(session)
    assert (counts["queued"], counts["suppressed"]) == (3, 5)


def test_an_hour_later_the_next_email_is_sent(app: Flask):
    with transaction() as session:
        limits.use(session, THREE_AN_HOUR, THREE_AN_HOUR, THREE_AN_HOUR)
        assert enqueue(session, message(), limited_by=[THREE_AN_HOUR]).state == "suppressed"
        session.execute(update(limits.LimitUse).values(until=utc_now()))
    with transaction() as session:
        assert enqueue(session, message(), limited_by=[THREE_AN_HOUR]).state == "queued"
    housekeeping.forget_old_uses()
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(limits.LimitUse)) == 1


def test_an_email_that_is_not_stored_or_not_sent_counts_towards_no_limit(app: Flask):
    known, other = message(intent_key="one"), Limit("other letters", "ann@example.com", 1)
    with transaction() as session:
        enqueue(session, known, limited_by=[THREE_AN_HOUR])
        for _ in range(3):
            enqueue(session, known, limited_by=[THREE_AN_HOUR])
            limits.use(session, other)
            enqueue(session, message(), limited_by=[THREE_AN_HOUR, other])
        assert enqueue(session, message(), limited_by=[THREE_AN_HOUR]).state == "queued"


def test_a_frozen_message_thaws_to_an_equal_one():
    full = message(
        to=["Ann <ann@example.com>", "bob@example.com"],
        cc="c@example.com",
        bcc="d@example.com",
        reply_to="Écho <e@example.com>",
        from_email="App <app@example.com>",
        text="Hi\n",
        headers={"X-A": "1"},
        metadata={"order": "1"},
        tags=("a", "b"),
        attachments=[Attachment(filename="a.bin", content=bytes(range(256)), content_id="logo")],
        send_at=utc_now(),
        expires_at=utc_now(),
        intent_key="k",
        kind="welcome",
        category="marketing",
        if_unknown="resend",
        sensitive=True,
    )
    thawed = from_json(to_json(full))
    assert thawed == full
    assert thawed.id == full.id


def test_every_move_outside_the_table_is_refused(app: Flask):
    for source in State:
        for target in State:
            if target in MOVES[source]:
                check_move(source, target)
            else:
                with pytest.raises(IllegalMove):
                    check_move(source, target)


def test_a_move_from_a_state_the_row_has_left_changes_nothing(app: Flask):
    email_id = queue()
    with transaction() as session:
        assert not move(session, email_id, State.SENDING, State.ACCEPTED)
        assert move(session, email_id, State.QUEUED, State.CANCELLED)
    assert row(email_id).state == State.CANCELLED


def test_a_late_yes_answers_what_was_unknown(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    claimed = claim(1)

    def post(_self: EmailService, _name: str, _request: object) -> Receipt:
        change(email_id, state=State.UNKNOWN, lease_token=None)
        return yes()

    monkeypatch.setattr(EmailService, "post", post)
    finish(claimed)
    assert (row(email_id).state, row(email_id).provider_message_id) == (State.ACCEPTED, "id-1")


def test_a_database_that_is_away_for_a_moment_does_not_cost_a_known_answer(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    answer(monkeypatch, yes())
    failures = iter([False, False, True, True, False])  # the claim, the start, the outcome

    def turn(*args: Any) -> Turn:
        if next(failures):
            raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))
        return take_turn(*args)

    monkeypatch.setattr("outbox.delivery.take_turn_or_halves", turn)
    monkeypatch.setattr("outbox.delivery.time.sleep", lambda _seconds: None)
    outbox.deliver(email_id)
    assert row(email_id).state == State.ACCEPTED


def test_a_policy_resends_once_and_then_leaves_it_to_a_person(app: Flask):
    email_id = queue(if_unknown="resend")
    past = utc_now() - timedelta(seconds=601)
    for copies, expected in ((1, State.QUEUED), (2, State.UNKNOWN)):
        open_attempt(email_id, "sendgrid")
        change(email_id, state=State.UNKNOWN, unknown_since=past)
        sweep()
        assert (copies, row(email_id).state) == (copies, expected)


def test_an_email_that_an_event_has_confirmed_is_accepted_though_its_worker_died(app: Flask):
    email_id = queue()
    claim(1)
    past = utc_now() - timedelta(seconds=1)
    change(
        email_id, lease_until=past, calling_since=past, provider="sendgrid",
        delivery_status="delivered",
    )  # fmt: skip
    sweep()
    assert row(email_id).state == State.ACCEPTED


def test_an_email_told_to_wait_for_long_moves_on(app: Flask, monkeypatch: pytest.MonkeyPatch):
    email_id = queue()
    called = answer(monkeypatch, RateLimited("slow", 429, retry_after=3600), yes("sendgrid"))
    outbox.deliver(email_id)
    outbox.deliver(email_id)
    assert called == ["resend", "sendgrid"]


def test_spent_attempts_of_a_row_with_an_open_question_are_no_failure(
    app: Flask, monkeypatch: pytest.MonkeyPatch
):
    email_id = queue()
    change(email_id, attempts=19, pinned=True, provider="resend")
    answer(monkeypatch, ProviderUnavailable("down"))
    outbox.deliver(email_id)
    assert row(email_id).state == State.UNKNOWN


def test_an_unknown_email_is_not_sent_again_past_its_expiry(app: Flask):
    late = utc_now() - timedelta(seconds=1)
    for policy in ("resend", "hold"):
        email_id = queue(if_unknown=policy, expires_at=utc_now() + timedelta(minutes=5))
        change(email_id, state=State.UNKNOWN, unknown_since=late, expires_at=late)
        app.config["EMAIL_UNKNOWN_WAIT"] = 0
        sweep()
        assert row(email_id).state == State.UNKNOWN
