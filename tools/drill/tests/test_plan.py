"""The schedule of kills, and the pace of the emails."""

from collections import Counter

import pytest

from tools.drill.plan import pace, plan_kills

PARTS = ("simulator", "valkey", "worker", "web")


def test_the_same_seed_gives_the_same_kills_and_another_seed_others():
    first = plan_kills(1, PARTS, 30, 1000)
    assert plan_kills(1, PARTS, 30, 1000) == first
    assert plan_kills(2, PARTS, 30, 1000) != first


@pytest.mark.parametrize("count", [1, 7, 30])
def test_kills_come_in_order_while_emails_are_still_to_come(count: int):
    counts = [kill.after for kill in plan_kills(3, PARTS, count, 300)]
    assert len(counts) == count
    assert counts == sorted(set(counts))
    assert 0 < counts[0] <= counts[-1] < 300


def test_every_part_gets_its_share_in_no_fixed_order():
    parts = [kill.part for kill in plan_kills(1, PARTS, 30, 1000)]
    assert parts[:8] != [*PARTS, *PARTS]
    counts = Counter(parts)
    assert set(counts) == set(PARTS)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_the_pace_leaves_work_between_two_kills_and_has_a_limit():
    assert pace(emails=300, kills=30) == 5
    assert pace(emails=10_000, kills=30) == 20
