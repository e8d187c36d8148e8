"""The schedule of a run, from its seed: which part is killed after how many accepted emails.

Emails are the clock: on a busy machine a run takes longer, but between two kills there is as
much work as on an idle one.
"""

import random
from collections.abc import Sequence

from attrs import frozen

SECONDS_PER_KILL = 2.0  # of work, about as long as the slowest part takes to come back
MOST_PER_SECOND = 20.0  # emails offered


@frozen
class PlannedKill:
    """`part` is killed as soon as `after` emails are accepted."""

    after: int
    part: str


def pace(emails: int, kills: int) -> float:
    """How many emails are offered a second while the web is up."""
    return min(MOST_PER_SECOND, emails / (kills * SECONDS_PER_KILL))


def plan_kills(seed: int, parts: Sequence[str], count: int, emails: int) -> list[PlannedKill]:
    """`count` kills at uneven gaps, and each part as often as the others, in random order."""
    chance = random.Random(seed)  # noqa: S311  repeatable, nothing secret
    victims = [parts[number % len(parts)] for number in range(count)]
    chance.shuffle(victims)
    gaps = [chance.uniform(0.5, 1.5) for _ in range(count + 1)]
    scale = emails / sum(gaps)
    return [
        PlannedKill(int(scale * sum(gaps[: number + 1])), part)
        for number, part in enumerate(victims)
    ]
