"""What a run proves: the simulator's log, our rows and the kills in, a verdict out.

Nothing here starts, reads or waits for anything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from attrs import evolve, frozen

UNFINISHED = ("queued", "sending")
PROVIDERS = ("simulator", "standby")  # the parts whose kill breaks calls


@frozen
class Kill:
    """A part that was killed, or ended by itself, and the ids of the rows in flight just then.

    Of what is taken away and nothing dies of, no row may make an excuse: none are named.
    """

    part: str
    in_flight: frozenset[str]
    by_itself: bool = False


@frozen
class Row:
    """What our database says of an email: its calls without an answer, and those refused as one
    too many (429)."""

    state: str
    unanswered: int = 0
    throttled: int = 0


@frozen(kw_only=True)
class Rules:
    """What a run may show beside emails that arrive once.

    `duplicates` up to the bound; `unknown` rows that have a cause. `lost_answers` says that the
    simulator swallows answers on purpose, so that a call without one is a cause; `within_rate`
    that no call may be refused with 429.
    """

    duplicates: bool = False
    unknown: bool = False
    lost_answers: bool = False
    within_rate: bool = False


@frozen(kw_only=True)
class Record:
    """All that is known after a run: how many emails were offered, the ids that our API gave for
    them, the id of each email in the simulator's log, our rows by id, and the kills.
    """

    offered: int
    accepted: frozenset[str]
    log: Sequence[str]
    rows: Mapping[str, Row]
    kills: Sequence[Kill]


@frozen(kw_only=True)
class RunVerdict:
    """Counts, ids of the emails to be looked at, and the requirements that were `missed`.

    `bound` is how many extra copies the kills and lost answers can account for. `unexplained` are
    emails with more copies than have a cause, or unknown without one; `strangers` are emails that
    no client was told of, such as a second row for one key. `throttled` calls were one too many.
    """

    accepted: int
    delivered: int
    duplicates: int
    bound: int
    throttled: int
    lost: frozenset[str]
    undelivered: frozenset[str]
    unexplained: frozenset[str]
    unknown: frozenset[str]
    strangers: frozenset[str]
    missed: Sequence[str]

    @property
    def suspects(self) -> list[str]:
        """The ids of the emails that a requirement was missed with."""
        return sorted(self.lost | self.undelivered | self.unexplained | self.strangers)


def judge(record: Record, rules: Rules) -> RunVerdict:
    """Hold a run against its rules.

    A kill during an email's delivery, or a lost answer, is the cause of at most one extra copy.
    """
    copies = Counter(record.log)
    causes = _causes(record, rules)
    lost = frozenset(each for each in record.accepted if _is_lost(each, record.rows, copies))
    unknown = _in_states(record, "unknown")
    too_often = {each for each, count in copies.items() if count - 1 > causes[each]}
    verdict = RunVerdict(
        accepted=len(record.accepted),
        delivered=len(record.accepted & copies.keys()),
        duplicates=len(record.log) - len(copies),
        bound=causes.total(),
        throttled=sum(row.throttled for row in record.rows.values()),
        lost=lost,
        undelivered=_in_states(record, *UNFINISHED),
        unexplained=frozenset(too_often | {each for each in unknown if not causes[each]}),
        unknown=unknown,
        strangers=frozenset(copies.keys() | record.rows.keys()) - record.accepted,
        missed=(),
    )
    return evolve(verdict, missed=tuple(_missed(verdict, record.offered, rules)))


def _causes(record: Record, rules: Rules) -> Counter[str]:
    """By id: how many extra copies of it have a cause."""
    in_flight = Counter(each for kill in record.kills for each in kill.in_flight)
    if not rules.lost_answers:
        return in_flight
    # A call that broke with the simulator has no answer either; it counts once, as a kill.
    broken = Counter(
        each for kill in record.kills if kill.part in PROVIDERS for each in kill.in_flight
    )
    unanswered = Counter({each: row.unanswered for each, row in record.rows.items()})
    return in_flight + (unanswered - broken)


def _is_lost(email_id: str, rows: Mapping[str, Row], copies: Mapping[str, int]) -> bool:
    """Gone without a word: no row, a row given up, or a row that claims what the log denies."""
    row = rows.get(email_id)
    if row is None:
        return True
    if row.state in (*UNFINISHED, "unknown"):
        return False
    return row.state != "accepted" or email_id not in copies


def _in_states(record: Record, *states: str) -> frozenset[str]:
    return frozenset(each for each, row in record.rows.items() if row.state in states)


def _missed(verdict: RunVerdict, offered: int, rules: Rules) -> Iterator[str]:
    if verdict.accepted != offered:
        yield f"{verdict.accepted} of {offered} accepted"
    forbidden = {
        "lost": verdict.lost,
        "undelivered": verdict.undelivered,
        "unexplained": verdict.unexplained,
        "strangers": verdict.strangers,
        "unknown": frozenset() if rules.unknown else verdict.unknown,
    }
    for name, ids in forbidden.items():
        if ids:
            yield f"{len(ids)} {name}"
    allowed = verdict.bound if rules.duplicates else 0
    if verdict.duplicates > allowed:
        yield f"{verdict.duplicates} duplicates, allowed {allowed}"
    if verdict.throttled and rules.within_rate:
        yield f"{verdict.throttled} calls refused with 429"
