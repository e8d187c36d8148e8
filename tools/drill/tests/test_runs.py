"""`python -m tools.drill` as a command: what it lists and refuses, and the faults' report."""

import sys
from pathlib import Path
from subprocess import PIPE, STDOUT, CompletedProcess, run

from tools.drill.__main__ import RUNS
from tools.processes import ROOT


def python(*arguments: str) -> CompletedProcess[str]:
    """Python with these arguments in the project; `stdout` holds all that it said."""
    command = [sys.executable, *arguments]
    return run(command, cwd=ROOT, stdout=PIPE, stderr=STDOUT, text=True, timeout=60, check=False)


def test_help_lists_every_run_with_what_it_does():
    told = python("-m", "tools.drill", "--help").stdout
    lines = [line.split(maxsplit=1) for line in told.partition("runs:\n")[2].splitlines()]
    assert dict(lines) == RUNS
    assert {"F1", "F12", "faults", "fuzz"} <= RUNS.keys()


def test_a_run_that_does_not_exist_is_refused_by_name():
    refused = python("-m", "tools.drill", "F1", "F99")
    assert refused.returncode == 2
    assert "there is no run 'F99'" in refused.stdout


def test_the_faults_report_has_a_line_a_fault_and_names_those_that_failed(tmp_path: Path):
    file = tmp_path / "two.py"
    file.write_text("def test_one_holds(): pass\ndef test_one_breaks(): assert False\n", "utf-8")
    files = [str(file), "-cpyproject.toml"]
    code = f"from tools.drill.__main__ import faults; faults.FILES = {files!r}"
    told = python("-c", f"{code}; print(faults.run_all().text)").stdout
    assert "| one holds | 0 s | as required |" in told
    assert "| one breaks | 0 s | call failed |" in told
    assert told.splitlines()[-1] == "2 faults: one breaks: call failed."
