"""docs/upgrade.md, run as written: a cloner with a migration of their own takes a later version."""

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from attrs import frozen

from tools.processes import ROOT

PAGE = (ROOT / "docs" / "upgrade.md").read_text(encoding="utf-8")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".env", ".venv", ".*_cache", "__pycache__", "instance", "docs", "tests"
)
MADE_UP = '''

class MadeUpByThisTest(Base):
    """A table of one's own."""

    __tablename__ = "made_up_by_this_test"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
'''
OUR_NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{ScriptDirectory(str(ROOT / "migrations")).get_current_head()}"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("ours", sa.Column("id", sa.Integer(), primary_key=True))
"""


@frozen
class Shell:
    """Commands as a cloner types them in `folder`, with the virtual environment active."""

    folder: Path
    environment: dict[str, str]

    def __call__(self, commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-e", "-c", commands],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def good(self, commands: str) -> str:
        done = self(commands)
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine with git and our requirements; `pip` has nothing to install."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "pip").write_text("#!/bin/sh\nexit 0\n")
    (tools / "pip").chmod(0o755)
    return {
        "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "FLASK_DEBUG": "1",
        "FLASK_APP": "app",
        **{f"GIT_{who}_NAME": "Ann" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "ann@example.com" for who in ("AUTHOR", "COMMITTER")},
    }


@pytest.fixture
def upstream(tmp_path: Path, environment: dict[str, str]) -> Shell:
    folder = Path(shutil.copytree(ROOT, tmp_path / "upstream", ignore=LEFT_OUT))
    shell = Shell(folder, environment)
    shell.good("git init -q -b main && git add -A && git commit -q -m 'a version'")
    return shell


@pytest.fixture
def clone(tmp_path: Path, upstream: Shell) -> Shell:
    """With a table of its own, in models, migrations and the database."""
    Shell(tmp_path, upstream.environment).good("git clone -q upstream clone")
    shell = Shell(tmp_path / "clone", upstream.environment)
    with (shell.folder / "models.py").open("a", encoding="utf-8") as models:
        models.write(MADE_UP)
    shell.good("flask db upgrade && flask db migrate -m projects && flask db upgrade")
    shell.good("git add -A && git commit -q -m 'Projects'")
    return shell


def blocks(upstream: Shell) -> list[str]:
    found = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return [block.replace("<this repository>", str(upstream.folder)) for block in found]


def test_a_cloners_migration_and_ours_are_joined_as_the_page_says(clone: Shell, upstream: Shell):
    migration = upstream.folder / "migrations" / "versions" / "later.py"
    migration.write_text(OUR_NEXT, encoding="utf-8")
    upstream.good("git add -A && git commit -q -m 'a later version'")
    with sqlite3.connect(clone.folder / "instance" / "app.db") as database:
        database.execute("INSERT INTO made_up_by_this_test VALUES ('kept')")
    database.close()

    once, each_time, with_own_migrations = blocks(upstream)
    clone.good(once)
    stopped = clone(each_time)
    assert stopped.returncode != 0
    [symptom] = re.findall(r"^`([^`]+)`: you have migrations of your own", PAGE, re.MULTILINE)
    assert symptom in stopped.stdout
    clone.good(with_own_migrations)

    assert clone.good("flask db heads").count("(head)") == 1
    assert clone.good("git status --porcelain") == ""
    database = sqlite3.connect(clone.folder / "instance" / "app.db")
    assert database.execute("SELECT id FROM made_up_by_this_test").fetchall() == [("kept",)]
    assert database.execute("SELECT count(*) FROM ours").fetchone() == (0,)
    database.close()
