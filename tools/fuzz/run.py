"""Mutations of signed webhooks, sent to the running app, and the answers judged.

The same seed gives the same mutations; only the time of signing differs.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import NamedTuple

from tools.fuzz.mutations import Scheme
from tools.site import Site

CLIENTS = 4


class Judged(NamedTuple):
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
) -> list[Judged]:
    """Send `count` mutations and judge each answer; `done` is called after each."""

    def attempt(number: int) -> Judged:
        chance = Random(f"{scheme.name}:{seed}:{number}")  # noqa: S311  repeatable on purpose
        mutation = scheme.mutate(chance)
        started = time.monotonic()
        status = site.send("POST", scheme.path, mutation.headers, mutation.body).status
        wanted = {True: (200,), False: (400,), None: (200, 400)}[mutation.accepted]
        done()
        seconds = time.monotonic() - started
        true = mutation.accepted is True
        right = status in wanted
        return Judged(number, mutation.name, mutation.marker, true, status, right, seconds)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(attempt, range(count)))


def misplaced(site: Site, results: list[Judged]) -> list[Judged]:
    """Refused deliveries that left something behind, and true ones that left nothing."""
    stored = site.markers()
    return [
        result
        for result in results
        if (result.true and result.marker not in stored)
        or (result.status != 200 and result.marker in stored)
    ]
