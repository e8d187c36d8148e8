"""4 processes with 4 threads each claim at once, 160 times, on both databases: every row once."""

import subprocess
import sys
from collections import Counter
from datetime import timedelta

from flask import Flask
from sqlalchemy import insert

from database import transaction, utc_now
from outbox.enqueue import _entry
from outbox.tables import OutboxEmail
from tests.outbox.claim_all import BATCH
from tests.outbox.rows import message
from tools.processes import ROOT

ROWS = 160 * BATCH


def test_16_claimers_never_get_the_same_row(app: Flask, database_url: str):
    past = utc_now() - timedelta(seconds=1)
    rows = [_entry(message(), None).row | {"due_at": past} for _ in range(ROWS)]
    with transaction() as session:
        session.execute(insert(OutboxEmail), rows)
    command = [sys.executable, "-m", "tests.outbox.claim_all", database_url]
    claimers = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (claimers.returncode, claimers.stderr) == (0, "")
    claimed = Counter(claimers.stdout.split())
    assert claimed.total() == ROWS
    assert set(claimed) == {row["id"] for row in rows}
