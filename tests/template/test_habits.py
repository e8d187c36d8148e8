"""What CI, the hooks and the documents of the habits name is there, and runs."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from tools.processes import ROOT


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


WORKFLOW, HOOKS = text(".github/workflows/ci.yml"), text(".pre-commit-config.yaml")
ENTRIES = [shlex.split(each) for each in re.findall(r"^ +entry: (.+)$", HOOKS, re.MULTILINE)]
# What both files are made of: comments, `key: value`, `key:`, and items of a list of these.
YAML_LINE = re.compile(r"( {2})*(- )?([a-z_-]+:( \S.*)?|- \S.*)?")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make` would do, without doing it."""
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", [WORKFLOW, HOOKS], ids=["workflow", "hooks"])
def test_the_file_is_plain_yaml(file: str):
    odd = [line for line in file.splitlines() if not re.match(r" *#", line)]
    assert [line for line in odd if not YAML_LINE.fullmatch(line)] == []


def test_ci_runs_what_the_readme_and_the_gate_run():
    steps = re.findall(r"^ +- run: (.+)$", WORKFLOW, re.MULTILINE)
    assert WORKFLOW.count("run:") == len(steps)
    assert steps == ["make test"]
    assert "`make test`" in text("README.md")
    assert re.findall(r"^make .+$", text(".ci/run"), re.MULTILINE) == steps
    recipe = make("test").stdout
    for tool in ("ruff check .", "ruff format --check .", "mypy", "python -m pytest\n"):
        assert f".venv/bin/{tool}" in recipe


def test_ci_takes_the_oldest_and_the_newest_python_that_we_support():
    found = re.search(r'python-version: \["([\d.]+)", "([\d.]+)"\]', WORKFLOW)
    assert found, "name two versions in the matrix: the oldest and the newest"
    oldest, newest = found.groups()
    tools = tomllib.loads(text("pyproject.toml"))["tool"]
    assert tools["mypy"]["python_version"] == oldest
    assert tools["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"Python {oldest} or newer" in text("README.md")
    for document in ("CHANGELOG.md", "SECURITY.md"):
        assert f"Python {oldest} to {newest}" in text(document), document


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_with_their_hashes(file: str):
    pins = re.findall(r"^\S.*(?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)*", text(file), re.MULTILINE)
    assert [pin for pin in pins if "==" not in pin or "--hash=" not in pin] == []


def test_actions_are_pinned_by_commit_and_say_which_version_that_is():
    used = re.findall(r"uses: (.+)$", WORKFLOW, re.MULTILINE)
    assert used
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert [each for each in used if not re.fullmatch(pinned, each)] == []


def test_the_hooks_use_the_tools_of_the_project_and_download_nothing():
    assert re.findall(r"repo: (.+)", HOOKS) == ["local"]
    assert {Path(entry[0]).name for entry in ENTRIES} == {"ruff", "mypy"}
    assert [entry[0] for entry in ENTRIES if not (ROOT / entry[0]).exists()] == []


def test_the_hooks_mend_what_they_can(tmp_path: Path):
    untidy = tmp_path / "untidy.py"
    untidy.write_text("import os\nprint( 'a' )\n", encoding="utf-8")
    for entry in ENTRIES:
        if entry[0].endswith("ruff"):
            subprocess.run([*entry, "--isolated", untidy], cwd=ROOT, check=True)
    assert untidy.read_text(encoding="utf-8") == 'print("a")\n'


@pytest.mark.parametrize(
    ("room", "tests"),
    [
        ("outbox", "tests/outbox"),
        ("config", "tests/test_config.py"),
        ("simulator", "tools/simulator/tests"),
        ("message errors", "tests/message"),
    ],
)
def test_make_check_runs_the_tests_of_a_room(room: str, tests: str):
    planned = make("check", f"ROOM={room}")
    assert planned.stdout.splitlines()[-1].endswith(f" {tests}"), planned.stderr
    assert ".venv/bin/mypy\n" in planned.stdout


def test_make_check_refuses_a_room_without_tests():
    refused = make("check", "ROOM=nowhere")
    assert refused.returncode != 0
    assert "ROOM=nowhere has no tests" in refused.stderr


@pytest.mark.parametrize(("document", "lines"), [("CONTRIBUTING.md", 120), ("AGENTS.md", 10)])
def test_the_document_is_short_and_names_files_that_exist(document: str, lines: int):
    assert len(text(document).splitlines()) <= lines
    named = set(re.findall(r"`([\w./-]+(?:\.py|\.md|/))`", text(document)))
    invented = {path for path in named if "acme" in path}  # of the provider that is added there
    assert [path for path in named - invented if not (ROOT / path).exists()] == []


def test_agents_are_led_to_the_documents_of_people():
    links = re.findall(r"\]\(([^)]+)\)", text("AGENTS.md"))
    assert links == ["README.md", "CONTRIBUTING.md"]
