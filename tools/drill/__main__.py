"""`python -m tools.drill`: run the campaign, print its table, exit with 1 if something is amiss."""

import argparse
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tools.drill.progress import Progress
from tools.drill.report import conclusion, table
from tools.drill.run import Result, Size, run
from tools.drill.scenarios import SCENARIOS, Scenario
from tools.servers import PostgreSQL

SEEDS = (1, 2, 3)


def main() -> int:
    options = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # so that every part is ended
    logging.disable(logging.INFO)  # the migrations report each step
    seeds = SEEDS if options.seed is None else (options.seed,)
    size = Size(emails=options.emails, kills=options.kills)
    results = _campaign(options.runs, seeds, size)
    sys.stdout.write(f"\n{table(results)}\n\n{conclusion(results)}\n")
    return 1 if any(result.verdict.missed for result in results) else 0


def _campaign(scenarios: Sequence[Scenario], seeds: Sequence[int], size: Size) -> list[Result]:
    with ExitStack() as servers:
        postgresql = None
        if any(scenario.celery for scenario in scenarios):
            postgresql = servers.enter_context(PostgreSQL())
        return [_one(scenario, seed, size, postgresql) for scenario in scenarios for seed in seeds]


def _one(scenario: Scenario, seed: int, size: Size, postgresql: PostgreSQL | None) -> Result:
    title = f"{scenario.name} seed {seed}"
    progress = Progress(sys.stderr, title, emails=size.emails, kills=size.kills)
    folder = Path(tempfile.mkdtemp(prefix="drill-"))
    wanted = False
    try:
        with _database(scenario, folder, postgresql) as url:
            result = run(scenario, seed, size, folder, url, progress)
        wanted = bool(result.verdict.missed)
    except Exception:
        wanted = True
        raise
    finally:
        if wanted:
            sys.stderr.write(f"\nthe logs of every part, and of what arrived: {folder}\n")
        else:
            shutil.rmtree(folder)
    progress.end("; ".join(result.verdict.missed) or "as required")
    sys.stderr.writelines(f"{story}\n" for story in result.stories)
    return result


@contextmanager
def _database(scenario: Scenario, folder: Path, postgresql: PostgreSQL | None) -> Iterator[str]:
    if scenario.celery and postgresql:
        with postgresql.database() as url:
            yield url
    else:
        yield f"sqlite:///{folder}/app.db"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.drill",
        description="Kill every part at random under load, and count every email.",
    )
    add = parser.add_argument
    add(
        "runs",
        nargs="*",
        type=_scenario,
        default=SCENARIOS,
        metavar="RUN",
        help=f"{', '.join(each.name for each in SCENARIOS)} (default: all)",
    )
    add("--seed", type=int, help=f"of kills and faults (default: {SEEDS}, one after the other)")
    add("--emails", type=_count, default=1000, help="in each run (default: %(default)s)")
    add("--kills", type=_count, default=30, help="in each run (default: %(default)s)")
    return parser


def _scenario(name: str) -> Scenario:
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise argparse.ArgumentTypeError(f"there is no run {name!r}")


def _count(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
