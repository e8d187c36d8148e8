"""`python -m tools.benchmarks`: each part runs, with little to do, and its tables are written."""

import re
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, CompletedProcess, run
from xml.etree import ElementTree

import pytest

from tools.processes import ROOT

TINY = ("--rounds", "1", "--seconds", "0.2", "--emails", "40")

# Between them these start all that is measured; to run every part would take a quarter of the gate.
EXPECTED = {
    "engine": ["the guide's Celery task", "ours, SQLite", "ours, PostgreSQL", "ours, Celery"],
    "accept": ["a bare JSON route", "the guide's `.delay()`", "ours, Celery worker beside"],
}


def bench(*arguments: str) -> CompletedProcess[str]:
    """The command; `stdout` holds all that it said."""
    command = [sys.executable, "-m", "tools.benchmarks", *arguments]
    return run(command, cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, timeout=300, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("part", EXPECTED)
def test_a_part_writes_a_line_for_each_contender(part: str, tmp_path: Path):
    told = bench(part, *TINY, "--docs", str(tmp_path))
    assert told.returncode == 0, told.stdout
    page = (tmp_path / "benchmarks.md").read_text("utf-8")
    lines = re.findall(r"^\| (.+?) \|(.+)\|$", page, re.MULTILINE)
    for expected in EXPECTED[part]:
        [cells, *_] = [cells for name, cells in lines if name.startswith(expected)]
        assert re.search(r"\d", cells), f"{expected} has no number: {cells}"
    for plot in tmp_path.glob("*.svg"):
        assert f"({plot.name})" in page
        ElementTree.parse(plot)  # noqa: S314  our own file


def test_a_part_that_does_not_exist_is_refused_by_name():
    refused = bench("engines")
    assert refused.returncode == 2
    assert "there is no part 'engines'" in refused.stdout
