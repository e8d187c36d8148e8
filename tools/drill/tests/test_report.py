"""The report that a campaign ends with."""

from attrs import evolve

from tools.drill.campaign import report
from tools.drill.judge import Kill, Record, Row, judge
from tools.drill.run import Result
from tools.drill.scenarios import SCENARIOS

KILLS = [
    Kill("web", frozenset("a")),
    Kill("simulator", frozenset()),
    Kill("web", frozenset("a")),
    Kill("worker", frozenset(), by_itself=True),
]
GOOD = Record(
    offered=1,
    accepted=frozenset("a"),
    log=["a", "a"],
    rows={"a": Row("accepted")},
    kills=KILLS,
)
BAD = evolve(GOOD, log=[])


def result(record: Record) -> Result:
    scenario = SCENARIOS[0]
    return Result(scenario, 7, record.kills, 4.6, judge(record, scenario.rules), [])


def _conclusion(*records: Record) -> str:
    return report([result(each) for each in records]).text.splitlines()[-1]


def test_the_table_is_markdown_with_a_line_a_run():
    heading, rule, line = report([result(GOOD)]).table.splitlines()
    cells = dict(zip(heading.split(" | "), line.split(" | "), strict=True))
    assert rule.count("---") == len(cells)
    assert cells["seed"] == "7"
    assert (cells["delivered"], cells["lost"]) == ("1", "0")
    assert (cells["duplicates"], cells["bound"]) == ("1", "2")
    assert cells["429"] == "0"
    assert cells["settled in"] == "5 s"
    assert cells["kills"] == "simulator 1, web 2, worker 0+1"


def test_the_conclusion_counts_and_says_what_was_missed():
    assert _conclusion(GOOD) == "1 runs, 1 emails, 3 kills, 0 lost: all as required."
    both = _conclusion(GOOD, BAD)
    assert both == "2 runs, 2 emails, 6 kills, 1 lost: 1 runs missed a requirement."
    assert "1 lost" in report([result(BAD)]).table.splitlines()[-1]
