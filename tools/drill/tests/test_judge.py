"""The verdict over invented logs: what counts as lost, as a duplicate, and as explained."""

import pytest
from attrs import evolve

from tools.drill.judge import Kill, Record, Row, Rules, judge

ACCEPTED = Row("accepted")
STRICT = Rules()
PLAIN = Rules(duplicates=True)
FAULTY = Rules(duplicates=True, lost_answers=True)
KEYLESS = Rules(unknown=True, lost_answers=True)

CLEAN = Record(
    offered=3,
    accepted=frozenset("abc"),
    log=["a", "b", "c"],
    rows=dict.fromkeys("abc", ACCEPTED),
    kills=[],
)


def kill(part: str, *in_flight: str) -> Kill:
    return Kill(part, frozenset(in_flight))


def rows(**changed: Row) -> dict[str, Row]:
    return {**CLEAN.rows, **changed}


@pytest.mark.parametrize("rules", [STRICT, PLAIN, FAULTY, KEYLESS])
def test_a_run_in_which_every_email_arrives_once_misses_nothing(rules: Rules):
    verdict = judge(CLEAN, rules)
    assert verdict.missed == ()
    assert (verdict.accepted, verdict.delivered, verdict.duplicates) == (3, 3, 0)
    assert verdict.suspects == []


def test_an_email_that_the_row_calls_accepted_and_the_log_does_not_know_is_lost():
    verdict = judge(evolve(CLEAN, log=["a", "b"]), PLAIN)
    assert verdict.lost == {"c"}
    assert verdict.delivered == 2
    assert verdict.missed == ("1 lost",)


def test_an_email_without_a_row_is_lost_though_it_arrived():
    record = evolve(CLEAN, rows={"a": ACCEPTED, "b": ACCEPTED})
    assert judge(record, PLAIN).lost == {"c"}


@pytest.mark.parametrize("state", ["failed", "expired", "suppressed", "cancelled"])
def test_an_innocent_email_that_was_given_up_is_lost_though_it_arrived(state: str):
    assert judge(evolve(CLEAN, rows=rows(c=Row(state))), PLAIN).lost == {"c"}


@pytest.mark.parametrize("state", ["queued", "sending"])
def test_an_email_that_still_waits_is_undelivered_and_not_lost(state: str):
    verdict = judge(evolve(CLEAN, log=["a", "b"], rows=rows(c=Row(state))), PLAIN)
    assert verdict.lost == set()
    assert verdict.missed == ("1 undelivered",)
    assert verdict.suspects == ["c"]


def test_an_email_that_no_client_got_a_yes_for_is_missing():
    record = evolve(CLEAN, offered=4)
    assert judge(record, PLAIN).missed == ("3 of 4 accepted",)


@pytest.mark.parametrize(
    "record",
    [evolve(CLEAN, log=["a", "b", "c", "x"]), evolve(CLEAN, rows=rows(x=ACCEPTED))],
    ids=["in the log", "in our rows"],
)
def test_an_email_that_no_client_was_told_of_is_a_stranger(record: Record):
    assert judge(record, PLAIN).missed == ("1 strangers",)


def test_a_copy_of_an_email_in_flight_at_a_kill_is_explained_and_within_the_bound():
    record = evolve(CLEAN, log=["a", "a", "b", "c"], kills=[kill("web", "a", "b")])
    verdict = judge(record, PLAIN)
    assert (verdict.duplicates, verdict.bound) == (1, 2)
    assert verdict.missed == ()


def test_a_copy_of_an_email_that_was_not_in_flight_is_unexplained_though_within_the_bound():
    record = evolve(CLEAN, log=["a", "a", "b", "c"], kills=[kill("web", "b")])
    verdict = judge(record, PLAIN)
    assert verdict.unexplained == {"a"}
    assert verdict.missed == ("1 unexplained",)


def test_one_kill_explains_one_copy_and_two_kills_explain_two():
    record = evolve(CLEAN, log=["a", "a", "a", "b", "c"], kills=[kill("web", "a")])
    assert judge(record, PLAIN).unexplained == {"a"}
    twice = evolve(record, kills=[kill("web", "a"), kill("simulator", "a")])
    assert judge(twice, PLAIN).missed == ()


def test_a_part_that_ends_by_itself_explains_a_copy_like_a_kill():
    ended = Kill("worker", frozenset("a"), by_itself=True)
    record = evolve(CLEAN, log=["a", "a", "b", "c"], kills=[ended])
    assert judge(record, PLAIN).missed == ()


def test_more_duplicates_than_the_bound_are_said_with_both_numbers():
    record = evolve(CLEAN, log=["a", "a", "b", "b", "c"], kills=[kill("web", "a")])
    assert "2 duplicates, allowed 1" in judge(record, PLAIN).missed


@pytest.mark.parametrize("rules", [STRICT, KEYLESS])
def test_where_keys_are_honoured_or_nothing_is_guessed_an_explained_copy_is_one_too_many(
    rules: Rules,
):
    record = evolve(CLEAN, log=["a", "a", "b", "c"], kills=[kill("web", "a")])
    assert judge(record, rules).missed == ("1 duplicates, allowed 0",)


def test_a_lost_answer_explains_a_copy_where_answers_are_swallowed_on_purpose():
    record = evolve(CLEAN, log=["a", "a", "b", "c"], rows=rows(a=Row("accepted", unanswered=1)))
    verdict = judge(record, FAULTY)
    assert verdict.missed == ()
    assert verdict.bound == 1


def test_a_lost_answer_explains_nothing_where_none_is_swallowed():
    record = evolve(CLEAN, log=["a", "a", "b", "c"], rows=rows(a=Row("accepted", unanswered=1)))
    assert judge(record, PLAIN).unexplained == {"a"}


def test_a_call_that_broke_with_the_simulator_counts_once():
    record = evolve(
        CLEAN,
        log=["a", "a", "a", "b", "c"],
        rows=rows(a=Row("accepted", unanswered=1)),
        kills=[kill("simulator", "a")],
    )
    verdict = judge(record, FAULTY)
    assert verdict.bound == 1
    assert verdict.unexplained == {"a"}


def test_a_call_that_broke_with_the_second_provider_counts_once_too():
    record = evolve(CLEAN, rows=rows(a=Row("accepted", unanswered=1)), kills=[kill("standby", "a")])
    assert judge(record, FAULTY).bound == 1


def test_a_call_beyond_the_rate_is_amiss_where_a_run_asks_for_that():
    record = evolve(
        CLEAN, rows=rows(a=Row("accepted", throttled=2), b=Row("accepted", throttled=1))
    )
    assert judge(record, PLAIN).throttled == 3
    assert judge(record, PLAIN).missed == ()
    assert judge(record, Rules(within_rate=True)).missed == ("3 calls refused with 429",)


def test_a_lost_answer_counts_beside_a_kill_of_another_part():
    record = evolve(
        CLEAN,
        log=["a", "a", "a", "b", "c"],
        rows=rows(a=Row("accepted", unanswered=1)),
        kills=[kill("web", "a")],
    )
    assert judge(record, FAULTY).missed == ()


@pytest.mark.parametrize("log", [["a", "b", "c"], ["a", "b"]], ids=["arrived", "did not arrive"])
def test_without_keys_an_unknown_email_with_a_cause_is_no_loss(log: list[str]):
    record = evolve(CLEAN, log=log, rows=rows(c=Row("unknown")), kills=[kill("web", "c")])
    verdict = judge(record, KEYLESS)
    assert verdict.unknown == {"c"}
    assert verdict.missed == ()


def test_an_unknown_email_that_neither_a_kill_nor_a_lost_answer_explains_is_amiss():
    record = evolve(CLEAN, rows=rows(b=Row("unknown", unanswered=1), c=Row("unknown")))
    verdict = judge(record, KEYLESS)
    assert verdict.unexplained == {"c"}
    assert verdict.missed == ("1 unexplained",)


def test_where_the_provider_takes_keys_no_email_may_stay_unknown():
    record = evolve(CLEAN, rows=rows(c=Row("unknown")), kills=[kill("web", "c")])
    assert judge(record, PLAIN).missed == ("1 unknown",)
