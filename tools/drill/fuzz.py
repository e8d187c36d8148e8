"""The fuzz: true and forged deliveries to each webhook of the running app, and the report on them.

The same seed gives the same deliveries; only the time of signing differs.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from tools.drill.report import Report, markdown
from tools.fuzz.mutations import Scheme
from tools.fuzz.run import Judged, misplaced, run
from tools.fuzz.schemes import SCHEMES
from tools.servers import migrate
from tools.site import Site

HEADINGS = ("webhook", "mutation", "sent", "200", "400", "wrong", "slowest")
MOST_MISSED = 20  # of one webhook, in the report


def run_all(seed: int, count: int) -> Report:
    """Start the app, and send `count` mutations to each webhook."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        url = f"sqlite:///{folder}/app.db"
        migrate(url)
        with Site(url, Path(folder) / "web.log") as site:
            reports = [_one(site, scheme, seed, count) for scheme in SCHEMES]
            site.check_log()
    return Report(
        table=markdown(HEADINGS, [line for lines, _ in reports for line in lines]),
        summary=f"{len(SCHEMES)} webhooks, {count} deliveries to each, seed {seed}",
        missed=[missed for _, all_missed in reports for missed in all_missed],
    )


def _one(
    site: Site, scheme: Scheme, seed: int, count: int
) -> tuple[list[Sequence[object]], list[str]]:
    """The lines of the table for one webhook, and what was missed there."""
    label = f"fuzz {scheme.name} seed {seed}"
    with click.progressbar(length=count, label=label, file=sys.stderr) as bar:
        results = run(site, scheme, count, seed, done=lambda: bar.update(1))
    wrong = [result for result in results if not result.right]
    missed = [_told(scheme, result, f"answered {result.status}") for result in wrong]
    missed += [
        _told(scheme, result, "not stored" if result.true else "stored although refused")
        for result in misplaced(site, results)
    ]
    return [_line(scheme, name, results) for name in sorted({each.name for each in results})], (
        missed[:MOST_MISSED]
    )


def _told(scheme: Scheme, result: Judged, what: str) -> str:
    return f"{scheme.name} number {result.number} ({result.name}) was {what}"


def _line(scheme: Scheme, name: str, results: Sequence[Judged]) -> Sequence[object]:
    mine = [result for result in results if result.name == name]
    by_status = Counter(result.status for result in mine)
    wrong = sum(not result.right for result in mine)
    slowest = max(result.seconds for result in mine) * 1000
    return (
        scheme.name, name, len(mine), by_status[200], by_status[400], wrong, f"{slowest:.0f} ms",
    )  # fmt: skip
