"""A fresh copy of the project, and its commands run there as the README prints them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.processes import ROOT, Process

StartIn = Callable[..., Process]
NOT_IN_A_CLONE = (".git", ".venv", ".env", "instance", "*.pyc", "__pycache__", ".*_cache", "build")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone holds: no .env, no database, no virtual environment."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_IN_A_CLONE))
    return folder


@pytest.fixture
def run(clone: Path, tmp_path: Path) -> Iterator[StartIn]:
    """`run("gunicorn app:app", **variables)`: a command in the clone, ended with the test."""
    with ExitStack() as stack:

        def start(command: str, **variables: str) -> Process:
            words = command.split()
            log = tmp_path / f"{words[0]}.log"
            return stack.enter_context(Process(words, variables, log, clone))

        yield start
