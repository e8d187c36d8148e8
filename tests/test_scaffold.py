"""`flask email new NAME`, in a copy of this repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold import FILES, create_email
from tests.processes import ROOT

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "instance", "docs")
NAME = "made-by-this-test"  # a name that no email of one's own has
LONGEST = "a-name-of-forty-characters-and-not-more1"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """This repository, as somebody cloned it."""
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=LEFT_OUT))


def run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the clone, in development."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env={"FLASK_DEBUG": "1", "FLASK_APP": "app", "PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_new_email_is_clean_and_passes_the_tests_of_all_emails(copy: Path):
    for name in (NAME, LONGEST):
        made = run(copy, "flask", "email", "new", name)
        assert made.returncode == 0, made.stderr
    assert made.stdout.endswith(f"look at it: http://127.0.0.1:5000/preview?email={LONGEST}\n")
    assert made.stdout.count("wrote ") == len(FILES) + 1
    for check in (["check"], ["format", "--check"]):
        linted = run(copy, "ruff", *check, "emails", "tests/emails")
        assert linted.returncode == 0, linted.stdout
    chosen = "made_by_this_test or made-by-this-test or forty or left_over"
    without_browser = ["--ignore=tests/emails/test_rendering.py"]
    tested = run(copy, "pytest", "-n", "0", "-q", "tests/emails", "-k", chosen, *without_browser)
    assert tested.returncode == 0, tested.stdout
    assert NAME in run(copy, "flask", "email", "send-test", "x", "--email", "nope").stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Trial-Ends", "cannot name an email"),
        ("trial_ends", "cannot name an email"),
        ("3-days", "cannot name an email"),
        ("../evil", "cannot name an email"),
        ("trial-ends\n", "cannot name an email"),
        ("", "cannot name an email"),
        (LONGEST + "x", "cannot name an email"),
        ("class", "means something else in Python"),
        ("email", "means something else in Python"),
        ("welcome", "there is already templates/emails/welcome.html"),
        ("money", "there is already emails/money.py"),
        ("every-email", "there is already tests/emails/test_every_email.py"),
    ],
)
def test_a_name_that_cannot_be_used_is_explained_and_writes_nothing(
    copy: Path, name: str, words: str
):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with pytest.raises((ValueError, FileExistsError), match=words):
        create_email(name, copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


def test_the_command_says_in_one_line_why_it_refuses(copy: Path):
    refused = run(copy, "flask", "email", "new", "welcome")
    assert refused.returncode == 2
    assert "there is already templates/emails/welcome.html" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_index_that_was_rewritten_is_left_alone(copy: Path):
    (copy / "emails" / "__init__.py").write_text("from emails.accounts import *\n")
    with pytest.raises(ValueError, match="no imports and no list __all__"):
        create_email(NAME, copy)
    assert not (copy / "emails" / "made_by_this_test.py").exists()
