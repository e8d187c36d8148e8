"""`make init` in a copy of this repository, and what must be true of the copy afterwards.

`make test-init` runs this for every offer alone and for all together: hours are not needed. After
one drop alone the tests of the rooms that it touched are run, after all the whole suite.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.template.dangling import dangling, files
from tests.template.first_steps import check, copy_repository, run
from tools.init.offer import all_offers
from tools.processes import ROOT

CODE = (".py", ".html", ".css", ".js", ".txt", ".in", ".toml")


def git(copy: Path, *arguments: str) -> str:
    """What git answers in the copy; whoever commits there has a name for it."""
    name = ("-c", "user.name=init", "-c", "user.email=init@example.com")
    command = ["git", *name, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout


def init(copy: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """`make init` in the copy, without a terminal."""
    return subprocess.run(
        [copy / ".venv" / "bin" / "python", "-m", "tools.init"],
        cwd=copy,
        env={name: os.environ[name] for name in ("PATH", "HOME")} | answers,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def commit(copy: Path, message: str) -> None:
    """Commit whatever is new in the copy."""
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", message)


def make_product(copy: Path, drop: str) -> list[str]:
    """Copy the repository, call it Acme and leave out `drop`; the files that changed or went.

    Raises `AssertionError` with what init said if it left anything to do by hand.
    """
    copy_repository(copy)
    git(copy, "init", "--quiet")
    commit(copy, "As cloned")
    done = init(copy, NAME="Acme", FROM="Acme <hello@acme.dev>", COLOUR="#0b6e4f", DROP=drop)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    git(copy, "add", "--all")
    return git(copy, "diff", "--cached", "--name-only").splitlines()


def touched_tests(copy: Path, changed: list[str]) -> list[str]:
    """The tests of the rooms that these files belong to."""
    found: set[str] = set()
    for path in changed:
        parts = path.split("/")
        room = parts[0].removesuffix(".py")
        if parts[0] == "tests" and path.endswith(".py"):
            found.add(path if "/test_" in path else "/".join(parts[:-1]))
        elif parts[0] == "tools" and len(parts) > 2:
            found.add(f"tools/{parts[1]}/tests")
        else:
            found |= {f"tests/{room}", f"tests/test_{room}.py"}
    found -= {"tests"}
    there = {path for path in found if (copy / path).exists()}
    return sorted(path for path in there if not any(path.startswith(f"{e}/") for e in there))


def lines(copy: Path) -> tuple[int, int]:
    """How many lines the code of the copy has, and its tests."""
    code = tests = 0
    for path in files(copy):
        if path.suffix in CODE and path.name != ".env":
            count = len(path.read_text(encoding="utf-8").splitlines())
            if "tests" in path.relative_to(copy).parts:
                tests += count
            else:
                code += count
    return code, tests


def check_quickly(copy: Path) -> None:
    """Nothing dangles, lint, types, and the app and its tests can be imported."""
    left = sorted({*dangling(copy)} - {*dangling(ROOT)})
    assert left == [], "\n".join(left)
    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")
    run(copy, "mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "product"))
    run(copy, "python", "-m", "pytest", "-n", "0", "-q", "--collect-only", "--no-header", "-qq")
    run(copy, "flask", "routes")


def prove(drop: str) -> None:
    """One drop in a copy of its own. Raises where something is red."""
    with TemporaryDirectory(prefix="init-") as folder:
        copy = Path(folder)
        changed = make_product(copy, drop)
        say(f"{drop}: {len(changed)} files changed, code and tests now have {lines(copy)} lines")
        check_quickly(copy)
        if drop == "all":
            check(copy)
        elif tests := touched_tests(copy, changed):
            run(copy, "python", "-m", "pytest", "-q", *tests)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for name in sys.argv[1:] or ["none", *all_offers(), "all"]:
        started = time.monotonic()
        prove(name)
        say(f"{name}: green after {time.monotonic() - started:.0f} s")
