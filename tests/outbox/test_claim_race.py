"""4 processes with 4 threads each claim 4,000 rows, on both databases: every row once."""

import subprocess
import sys
from collections import Counter
from datetime import timedelta

from flask import Flask
from sqlalchemy import insert

from database import transaction, utc_now
from outbox.enqueue import _row
from outbox.tables import OutboxEmail
from tests.outbox.rows import message
from tools.processes import ROOT

ROWS = 4_000
PROCESSES = 4


def test_16_claimers_never_get_the_same_row(app: Flask, database_url: str):
    past = utc_now() - timedelta(seconds=1)
    rows = [_row(message(), None, None) | {"due_at": past} for _ in range(ROWS)]
    with transaction() as session:
        session.execute(insert(OutboxEmail), rows)
    command = [sys.executable, "-m", "tests.outbox.claim_all", database_url]
    claimers = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    claimed = Counter(line for each in claimers for line in each.communicate()[0].split())
    assert [each.returncode for each in claimers] == [0] * PROCESSES
    assert claimed.total() == ROWS
    assert set(claimed) == {row["id"] for row in rows}
