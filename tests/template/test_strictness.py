"""Strict types, style and complexity hold for the files of the template, and for no others."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.processes import ROOT

pytestmark = pytest.mark.slow

UNTYPED_AND_BRANCHY = """def price(plan, seats):
    if plan == "free":
        return 0
    else:
        total = 0
        for seat in range(seats):
            if seat < 1:
                total += 900
            elif seat < 3:
                total += 800
            elif seat < 10:
                total += 700
            elif seat < 30:
                total += 600
            elif seat < 100:
                total += 500
            elif seat < 300:
                total += 400
            else:
                total += 300
        return total
"""
SOMEBODYS = ["projects.py", "blueprints/projects.py", "projects_api/models.py",
             "emails/trial_ends.py", "cli/projects.py", "providers/postmark.py"]  # fmt: skip
UNTYPED = "Function is missing a type annotation"


def complaints(folder: Path, paths: list[str]) -> str:
    """What mypy and ruff say where each of these files holds an untyped, branchy function."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if "/" in path:
            (folder / path).with_name("__init__.py").touch()
        (folder / path).write_text(UNTYPED_AND_BRANCHY, encoding="utf-8")
    checks = (["mypy", "--no-error-summary"], ["ruff", "check", "--output-format", "concise"])
    return "".join(
        subprocess.run(
            [sys.executable, "-m", *check, "."],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for check in checks
    )


def files_of_the_template() -> set[str]:
    """The Python files that git knows, or would take, apart from tests and migrations."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = {path for path in listed.stdout.splitlines() if (ROOT / path).exists()}
    tests = re.compile(r"(tests|migrations|tools/.*tests)/")
    return {path for path in paths if not tests.match(path)}


def test_ones_own_files_may_be_untyped_and_branchy(tmp_path: Path):
    assert [line for line in complaints(tmp_path, SOMEBODYS).splitlines() if ".py:" in line] == []


def test_no_file_of_the_template_may(tmp_path: Path):
    ours = files_of_the_template()
    said = complaints(tmp_path, sorted(ours))
    untyped = set(re.findall(rf"^(\S+\.py):\d+: error: {UNTYPED}", said, re.MULTILINE))
    branchy = set(re.findall(r"^(\S+\.py):\d+:\d+: C901", said, re.MULTILINE))
    assert ours - untyped == set(), "add these to the strict modules of mypy in pyproject.toml"
    assert ours - branchy == set(), "add these to the pattern of ruff in pyproject.toml"
