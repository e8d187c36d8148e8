"""Filling a queue: whatever an email consists of is copied with it."""

import sys
from pathlib import Path

from tools.benchmarks import backlog
from tools.benchmarks.bench import Bench, Size
from tools.benchmarks.progress import Progress
from tools.benchmarks.stubs import Stub


def test_a_backlog_has_as_many_due_emails_as_asked_for(
    stub: Stub, tmp_path: Path, database_url: str
):
    progress = Progress(sys.stderr, "test")
    bench = Bench(folder=tmp_path, size=Size(), stub=stub, progress=progress)
    backlog.make(bench, database_url, 60, "--delivered", by_app=20)
    backlog.make(bench, database_url, backlog.SEEDS * 3)
    assert backlog.count(database_url, "accepted") == 60
    assert backlog.count(database_url, "queued") == backlog.SEEDS * 3
