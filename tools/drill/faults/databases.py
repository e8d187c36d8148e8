"""The database goes away under load: each caller learns the truth, and nothing accepted is lost.

`make faults` prints how many callers were refused; a database that is away for a single request
is `tests/hostile/test_outages.py`.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from database import BUSY_TIMEOUT
from tools.drill.clients import Clients, OneTry, recipient
from tools.drill.faults.web import Start, received
from tools.drill.rows import Rows
from tools.drill.stack import TOKEN
from tools.outages import locked
from tools.processes import wait_until
from tools.servers import PostgreSQL
from tools.simulator_process import Simulator

EMAILS = 500
PER_SECOND = 20.0
RESTARTS = 5
LOCKED = BUSY_TIMEOUT / 1000 + 2  # seconds, longer than anybody waits for the lock
Check = Callable[[str, str, Callable[[OneTry], None]], None]


@pytest.fixture
def check(provider: Simulator, capsys: pytest.CaptureFixture[str]) -> Check:
    """`check(url, database_url, break_it)`: what holds while `break_it` is at work, and after."""

    def check(url: str, database_url: str, break_it: Callable[[OneTry], None]) -> None:
        with OneTry([url], TOKEN, emails=EMAILS, per_second=PER_SECOND) as callers:
            break_it(callers)
            wait_until(callers.done, "every caller to be answered", patience=120)
        with closing(Rows(database_url)) as rows:
            _check_answers(callers, rows)
            wait_until(lambda: len(set(rows.counts())) == 1, "all that was accepted to be sent")
            stored, _ = rows.counts()
            with capsys.disabled():
                sys.stdout.write(f" {len(callers.accepted)} of {EMAILS} accepted, {stored} rows ")
            with Clients([url], TOKEN, emails=EMAILS, per_second=100) as again:
                wait_until(again.done, "everybody to be accepted under the key of before")
            assert again.accepted | callers.accepted == again.accepted
            wait_until(lambda: rows.counts() == (EMAILS, EMAILS), "everything to be sent")
            assert {row.state for row in rows.all().values()} == {"accepted"}
        assert received(provider) == Counter(recipient(number) for number in range(EMAILS))

    return check


def _check_answers(callers: OneTry, rows: Rows) -> None:
    answers = callers.answers.values()
    assert Counter(answer.status_code for answer in answers).keys() == {202, 503}
    assert all(
        int(answer.headers.get("Retry-After", "0")) > 0
        for answer in answers
        if answer.status_code == 503
    )
    assert set(callers.accepted.values()) <= rows.all().keys()


def wait_for_answers(callers: OneTry, more: int) -> None:
    """Let so many more callers be answered; emails are the clock."""
    count = len(callers.answers) + more
    wait_until(lambda: callers.done() or len(callers.answers) >= count, f"{count} answers")


def test_postgresql_may_be_restarted_five_times_under_load(
    check: Check, start_web: Start, postgresql: PostgreSQL, postgresql_url: str
) -> None:
    def restart(callers: OneTry) -> None:
        for number in range(RESTARTS):
            wait_for_answers(callers, 60)
            with postgresql.away(crash=bool(number % 2)):
                wait_for_answers(callers, 20)

    _, url = start_web(DATABASE_URL=postgresql_url)
    check(url, postgresql_url, restart)


def test_sqlite_may_be_locked_by_somebody_else_under_load(
    check: Check, start_web: Start, sqlite_url: str
) -> None:
    def lock(callers: OneTry) -> None:
        wait_for_answers(callers, 100)
        with locked(sqlite_url):
            time.sleep(LOCKED)  # the fault itself

    _, url = start_web(DATABASE_URL=sqlite_url)
    check(url, sqlite_url, lock)


def test_the_disk_may_be_full_under_load(
    check: Check, start_web: Start, sqlite_url: str, tmp_path: Path
) -> None:
    sign = tmp_path / "disk-is-full"

    def fill(callers: OneTry) -> None:
        wait_for_answers(callers, 100)
        sign.touch()
        wait_for_answers(callers, 200)
        sign.unlink()

    web, url = start_web(
        "-c", "tools/drill/faults/full_disk.py", DATABASE_URL=sqlite_url, DISK_IS_FULL=str(sign)
    )
    check(url, sqlite_url, fill)
    assert "database or disk is full" in web.output()
