"""The results as a Markdown table, and the sentence below it."""

from collections import Counter
from collections.abc import Iterable, Sequence

from tools.drill.judge import Kill
from tools.drill.run import Result

HEADINGS = (
    "run", "parts", "seed", "accepted", "delivered", "lost", "undelivered", "duplicates", "bound",
    "unexplained", "unknown", "kills", "settled in", "verdict",
)  # fmt: skip


def table(results: Iterable[Result]) -> str:
    """One line a run, with these columns:

    `bound` is how many extra copies the kills and lost answers can account for; `unexplained`
    counts emails with more copies than that, or unknown without a cause; under `kills`, `+` counts
    parts that ended by themselves; `settled in` is the time from the last accepted email to the
    last finished one.
    """
    lines = [_line(HEADINGS), _line("---" for _ in HEADINGS)]
    return "\n".join([*lines, *(_line(_cells(result)) for result in results)])


def conclusion(results: Sequence[Result]) -> str:
    """The verdict over all runs, in a line."""
    missed = sum(bool(result.verdict.missed) for result in results)
    accepted = sum(result.verdict.accepted for result in results)
    kills = sum(not kill.by_itself for result in results for kill in result.kills)
    lost = sum(len(result.verdict.lost) for result in results)
    text = f"{len(results)} runs, {accepted} emails, {kills} kills, {lost} lost"
    return f"{text}: {f'{missed} runs missed a requirement' if missed else 'all as required'}."


def _cells(result: Result) -> list[str]:
    verdict = result.verdict
    numbers = (
        result.seed, verdict.accepted, verdict.delivered, len(verdict.lost),
        len(verdict.undelivered), verdict.duplicates, verdict.bound, len(verdict.unexplained),
        len(verdict.unknown),
    )  # fmt: skip
    return [
        result.scenario.name,
        result.scenario.summary,
        *(str(number) for number in numbers),
        _kills(result.kills),
        f"{result.seconds:.0f} s",
        "; ".join(verdict.missed) or "as required",
    ]


def _kills(kills: Sequence[Kill]) -> str:
    counts = Counter(kill.part for kill in kills if not kill.by_itself)
    exits = Counter(kill.part for kill in kills if kill.by_itself)
    return ", ".join(
        f"{part} {counts[part]}" + (f"+{exits[part]}" if exits[part] else "")
        for part in sorted(counts | exits)
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
