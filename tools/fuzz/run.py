"""Seeded mutations of signed webhooks against the running app: `python -m tests.hostile.fuzz`.

The same seed gives the same mutations; only the time of signing differs.
"""

import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

import click
from flask_migrate import upgrade

from app import create_app
from extensions import db
from testing import TEST_SETTINGS
from tools.fuzz.mutations import Scheme
from tools.fuzz.schemes import SCHEMES
from tools.site import Site

CLIENTS = 4


class Result(NamedTuple):
    """What became of mutation `number` of a seed. `true` says that it had to be accepted."""

    number: int
    name: str
    marker: str
    true: bool
    status: int
    right: bool
    seconds: float


def run(
    site: Site, scheme: Scheme, count: int, seed: int, done: Callable[[], object] = lambda: None
) -> list[Result]:
    """Send `count` mutations and judge each answer; `done` is called after each."""

    def attempt(number: int) -> Result:
        chance = Random(f"{scheme.name}:{seed}:{number}")  # noqa: S311  repeatable on purpose
        mutation = scheme.mutate(chance)
        started = time.monotonic()
        status = site.send("POST", scheme.path, mutation.headers, mutation.body).status
        wanted = {True: (200,), False: (400,), None: (200, 400)}[mutation.accepted]
        done()
        seconds = time.monotonic() - started
        true = mutation.accepted is True
        right = status in wanted
        return Result(number, mutation.name, mutation.marker, true, status, right, seconds)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(attempt, range(count)))


def misplaced(site: Site, results: list[Result]) -> list[Result]:
    """Refused deliveries that left something behind, and true ones that left nothing."""
    stored = site.markers()
    return [
        result
        for result in results
        if (result.true and result.marker not in stored)
        or (result.status != 200 and result.marker in stored)
    ]


def table(results: list[Result]) -> str:
    """One line for each kind of mutation, as Markdown."""
    lines = ["| mutation | sent | 200 | 400 | wrong | slowest |", "|---|---|---|---|---|---|"]
    for name in sorted({result.name for result in results}):
        mine = [result for result in results if result.name == name]
        by_status = Counter(result.status for result in mine)
        wrong = sum(not result.right for result in mine)
        slowest = max(result.seconds for result in mine) * 1000
        lines.append(
            f"| {name} | {len(mine)} | {by_status[200]} | {by_status[400]} | {wrong} "
            f"| {slowest:.0f} ms |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--count", default=10_000, show_default=True, help="Mutations of each scheme.")
@click.option("--seed", type=int, help="Repeat a former run.")
def main(count: int, seed: int | None) -> None:
    """Start the app, send it mutations, print a table; exit code 1 if any answer was wrong."""
    seed = secrets.randbelow(10**6) if seed is None else seed
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        url = f"sqlite:///{folder}/app.db"
        _migrate(url)
        with Site(url, Path(folder) / "web.log") as site:
            good = [_fuzz(site, scheme, count, seed) for scheme in SCHEMES]
            site.check_log()
    sys.exit(0 if all(good) else 1)


def _migrate(url: str) -> None:
    app = create_app(TEST_SETTINGS | {"DATABASE_URL": url, "LOG_LEVEL": "WARNING"})
    with app.app_context():
        upgrade()
        db.engine.dispose()


def _fuzz(site: Site, scheme: Scheme, count: int, seed: int) -> bool:
    click.echo(f"{scheme.name}: {count} mutations, SEED={seed}")
    with click.progressbar(length=count) as bar:
        results = run(site, scheme, count, seed, done=lambda: bar.update(1))
    click.echo(table(results))
    wrong = [result for result in results if not result.right]
    lost = misplaced(site, results)
    for result in (wrong + lost)[:20]:
        click.echo(f"wrong: number {result.number}, {result.name}: {result.status}")
    accepted = sum(result.status == 200 for result in results)
    click.echo(f"{accepted} accepted, {len(wrong)} wrong, {len(lost)} wrongly stored or not")
    return not wrong and not lost


if __name__ == "__main__":
    main()
