"""The campaign: each scenario with each seed, on a database of its own, and the report on all."""

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import evolve

from tools.drill.judge import Kill
from tools.drill.progress import Progress
from tools.drill.report import AS_REQUIRED, Report, markdown
from tools.drill.run import Result, Size, run
from tools.drill.scenarios import Scenario
from tools.servers import PostgreSQL

HEADINGS = (
    "run", "parts", "seed", "accepted", "delivered", "lost", "undelivered", "duplicates", "bound",
    "unexplained", "unknown", "429", "kills", "settled in", "verdict",
)  # fmt: skip


def run_all(scenarios: Sequence[Scenario], seeds: Sequence[int], size: Size) -> Report:
    """Run each scenario with each seed; the logs of a run that missed something are kept."""
    with ExitStack() as servers:
        postgresql = None
        if any(scenario.celery or scenario.postgresql for scenario in scenarios):
            postgresql = servers.enter_context(PostgreSQL())
        results = [_one(each, seed, size, postgresql) for each in scenarios for seed in seeds]
    return report(results)


def report(results: Sequence[Result]) -> Report:
    """A line a run, with these columns:

    `bound` is how many extra copies the kills and lost answers can account for; `unexplained`
    counts emails with more copies than that, or unknown without a cause; `429` the calls that were
    refused as one too many; under `kills`, `+` counts parts that ended by themselves; `settled in`
    is the time from the last accepted email to the last finished one.
    """
    missed = sum(bool(result.verdict.missed) for result in results)
    accepted = sum(result.verdict.accepted for result in results)
    kills = sum(not kill.by_itself for result in results for kill in result.kills)
    lost = sum(len(result.verdict.lost) for result in results)
    return Report(
        table=markdown(HEADINGS, [_cells(result) for result in results]),
        summary=f"{len(results)} runs, {accepted} emails, {kills} kills, {lost} lost",
        missed=[f"{missed} runs missed a requirement"] if missed else [],
    )


def _one(scenario: Scenario, seed: int, size: Size, postgresql: PostgreSQL | None) -> Result:
    title = f"{scenario.name} seed {seed}"
    size = evolve(size, kills=min(size.kills, scenario.most))
    progress = Progress(sys.stderr, title, emails=size.emails, kills=size.kills)
    folder = Path(tempfile.mkdtemp(prefix="drill-"))
    wanted = False
    try:
        with _database(scenario, folder, postgresql) as url:
            result = run(scenario, seed, size, folder, postgresql, url, progress)
        wanted = bool(result.verdict.missed)
    except Exception:
        wanted = True
        raise
    finally:
        if wanted:
            sys.stderr.write(f"\nthe logs of every part, and of what arrived: {folder}\n")
        else:
            shutil.rmtree(folder)
    progress.end("; ".join(result.verdict.missed) or AS_REQUIRED)
    sys.stderr.writelines(f"{story}\n" for story in result.stories)
    return result


@contextmanager
def _database(scenario: Scenario, folder: Path, postgresql: PostgreSQL | None) -> Iterator[str]:
    if postgresql and (scenario.celery or scenario.postgresql):
        with postgresql.database() as url:
            yield url
    else:
        yield f"sqlite:///{folder}/app.db"


def _cells(result: Result) -> Sequence[object]:
    verdict = result.verdict
    return (
        result.scenario.name, result.scenario.summary, result.seed,
        verdict.accepted, verdict.delivered, len(verdict.lost), len(verdict.undelivered),
        verdict.duplicates, verdict.bound, len(verdict.unexplained), len(verdict.unknown),
        verdict.throttled, _kills(result.kills), f"{result.seconds:.0f} s",
        "; ".join(verdict.missed) or AS_REQUIRED,
    )  # fmt: skip


def _kills(kills: Sequence[Kill]) -> str:
    counts = Counter(kill.part for kill in kills if not kill.by_itself)
    exits = Counter(kill.part for kill in kills if kill.by_itself)
    return ", ".join(
        f"{part} {counts[part]}" + (f"+{exits[part]}" if exits[part] else "")
        for part in sorted(counts | exits)
    )
