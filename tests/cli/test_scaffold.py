"""`flask email new NAME`, in a copy of this repository."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.scaffold import FILES, create_email
from tools.processes import ROOT

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "instance", "docs")
NEW = "made-up-by-this-test"  # no email that a cloner writes has this name
LONGEST = "a-name-of-forty-characters-and-not-more1"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """This repository, as somebody cloned it."""
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=LEFT_OUT))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """The folders of a clone in which a new email gets its files."""
    for folder in ("emails", "templates/emails", "tests/emails"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=LEFT_OUT)
    return tmp_path


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


OTHER_BRAND = ('"APP_NAME": "Acme"', '"APP_NAME": "Northwind Traders International"')


@pytest.mark.slow
def test_a_new_email_is_clean_and_passes_the_tests_of_all_emails(copy: Path):
    settings = copy / "tests" / "emails" / "conftest.py"
    settings.write_text(settings.read_text("utf-8").replace(*OTHER_BRAND), encoding="utf-8")
    for name in ("trial-ends-in-10-days", "trial-ends-in-3-days", NEW):
        create_email(name, copy)
    made = run(copy, "flask", "email", "new", LONGEST)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith(f"look at it: http://127.0.0.1:5000/preview?email={LONGEST}\n")
    assert made.stdout.count("wrote ") == len(FILES) + 1
    for check in (["check"], ["format", "--check"]):
        linted = run(copy, "ruff", *check, "emails", "tests/emails")
        assert linted.returncode == 0, linted.stdout
    chosen = "trial_ends_in or trial-ends-in or made_up or made-up or forty or left_over"
    without_browser = ["--ignore=tests/emails/test_rendering.py"]
    tested = run(copy, "pytest", "-n", "0", "-q", "tests/emails", "-k", chosen, *without_browser)
    assert tested.returncode == 0, tested.stdout
    assert NEW in run(copy, "flask", "email", "send-test", "x", "--email", "nope").stderr


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
        ("compose", "there is already emails/compose.py"),
        ("every-email", "there is already tests/emails/test_every_email.py"),
    ],
)
def test_a_name_that_cannot_be_used_is_explained_and_writes_nothing(
    files: Path, name: str, words: str
):
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    with pytest.raises((ValueError, FileExistsError), match=words):
        create_email(name, files)
    assert {path: path.read_bytes() for path in files.rglob("*") if path.is_file()} == before


def test_the_command_says_in_one_line_why_it_refuses(copy: Path):
    refused = run(copy, "flask", "email", "new", "welcome")
    assert refused.returncode == 2
    assert "there is already templates/emails/welcome.html" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_index_that_was_rewritten_is_left_alone(files: Path):
    (files / "emails" / "__init__.py").write_text("from emails.accounts import *\n")
    with pytest.raises(ValueError, match="no imports and no list __all__"):
        create_email(NEW, files)
    assert not (files / "emails" / "made_up_by_this_test.py").exists()


@pytest.mark.parametrize(
    "imports",
    [
        "from emails.accounts import (\n    password_reset,\n    welcome,\n)\n",
        "from emails.accounts import password_reset, welcome\n"
        "from emails.zoo import (\n    zebra,\n)\n",
        "from emails.accounts import password_reset\n\n# theirs\n"
        "from emails.zoo import zebra  # striped\n",
    ],
    ids=["parentheses", "parentheses after it", "a comment between"],
)
@pytest.mark.parametrize(
    "exported", ['__all__ = ["welcome"]\n', '__all__ = [\n    "a_10",\n    "zebra",\n]\n']
)
def test_the_index_may_be_written_otherwise(files: Path, imports: str, exported: str):
    index = files / "emails" / "__init__.py"
    index.write_text(f'"""What the app sends."""\n\n{imports}\n{exported}', encoding="utf-8")
    create_email(NEW, files)
    added = "from emails.made_up_by_this_test import made_up_by_this_test\n"
    written = index.read_text(encoding="utf-8")
    assert written.replace(added, "", 1).startswith(f'"""What the app sends."""\n\n{imports}')
    assert written.count('    "made_up_by_this_test",\n') == written.count(added) == 1
    assert written.index("emails.accounts") < written.index(added)
    assert "zoo" not in written or written.index(added) < written.index("emails.zoo")
    compile(written, str(index), "exec")


@pytest.mark.slow
def test_no_test_minds_that_the_email_of_the_readme_was_written(copy: Path):
    if not (copy / "emails" / "trial_ends.py").exists():  # whoever followed the README has it
        create_email("trial-ends", copy)
    tests = ["tests/emails/test_compose.py", "tests/cli/test_scaffold.py"]
    tested = run(copy, "pytest", "-n", "0", "-q", *tests, "-k", "test_compose or rewritten")
    assert tested.returncode == 0, tested.stdout
