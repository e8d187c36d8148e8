"""The documents say what is true: names, links, commands, targets, settings, and their limits."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli import email_commands
from config import SETTINGS
from tests.template.documents import DOCUMENTS, PAGES, README, blocks, code
from tests.template.test_ladder import LADDER
from tools.processes import ROOT

GUIDE = ROOT / "docs" / "from-the-guide.md"
TEXT = README.read_text(encoding="utf-8")

# Words in capitals with an underscore that are no settings, and the settings of the samples.
NO_SETTINGS = {"NAME_FILE", "TEST_SETTINGS", "EVENT_TYPES", "SIGNING_KEYS"}
SAMPLES = {"PROJECTS_PER_USER"} | {
    f"ACME_{name}" for name in ("API_KEY", "BASE_URL", "RATE", "WEBHOOK_SECRET")
}

IMPORT_EACH = """
import pkgutil, sys
for name in sys.argv[1:]:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError) as error:
        print(name, error)
"""

all_documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def test_the_readme_can_be_read_in_five_minutes():
    lines = TEXT.splitlines()
    assert len(lines) <= 130, "move a part of README.md into docs/"
    assert len(TEXT.split()) <= 900, "move a part of README.md into docs/"
    outside_tables = [line for line in lines if not line.startswith("|")]
    assert [line for line in outside_tables if len(line) > 200] == [], "two sentences, two lines"


def test_the_readme_leads_to_every_page():
    linked = re.findall(r"\]\((docs/[\w-]+\.md)\)", TEXT)
    assert set(linked) == {f"docs/{page.name}" for page in PAGES if page != README}


def our_names() -> list[str]:
    names = GUIDE.read_text(encoding="utf-8").partition("## Names")[2].partition("\n## ")[0]
    rows = [line for line in names.splitlines() if line.startswith("| ")][1:]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split(" | ")[1])]


def test_every_name_on_our_side_of_the_guides_table_can_be_imported():
    names = our_names()
    assert {"background.send_in_background", "tasks.send_email_task", "app.app"} <= set(names)
    # In a process of its own: `tasks` and `app.app` build the app when they are imported.
    settings = {"FLASK_DEBUG": "1", "EMAIL_DELIVERY": "celery", "REDIS_URL": "redis://127.0.0.1:1"}
    command = [sys.executable, "-c", IMPORT_EACH, *names]
    result = subprocess.run(
        command, env=os.environ | settings, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.returncode) == ("", 0), result.stderr


@all_documents
def test_every_relative_link_leads_to_a_file(document: Path):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (document.parent / link).exists()] == []


def commands_in(document: Path) -> set[str]:
    return set(re.findall(r"flask email ([a-z][a-z-]*)", code(document)))


@all_documents
def test_every_flask_email_command_of_a_document_exists(document: Path):
    assert commands_in(document) <= set(email_commands.commands)


def test_every_flask_email_command_is_named_in_the_readme_or_the_docs():
    named = set().union(*(commands_in(page) for page in PAGES))
    assert set(email_commands.commands) - named == set(), "say on a page of docs/ what it does"


@pytest.mark.parametrize(
    "command",
    ["flask db upgrade", "flask run", "gunicorn app:app", "celery -A tasks worker --loglevel=info"],
)
def test_the_readme_prints_the_commands_of_web_and_worker(command: str):
    assert command in code(README)


@all_documents
def test_every_make_target_of_a_document_is_listed_by_make_help(document: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))  # as `make help` does
    assert set(re.findall(r"\bmake ([a-z-]+)", code(document))) <= listed


@all_documents
def test_every_setting_of_a_document_exists(document: Path):
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", code(document)))
    ours = {setting.name for setting in SETTINGS}
    assert named - NO_SETTINGS - SAMPLES <= ours


def test_the_least_of_production_is_what_the_app_demands():
    [block] = [each.text for each in blocks(README, "ini") if "SECRET_KEY=" in each.text]
    required = {setting.name for setting in SETTINGS if setting.required}
    assert set(re.findall(r"^(\w+)=", block, re.MULTILINE)) == required | {"RESEND_API_KEY"}


def test_the_table_of_the_house_names_every_room_in_the_order_of_imports():
    table = TEXT.partition("## The house")[2].partition("\n## ")[0]
    first_cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert re.findall(r"`(\w+)(?:\.py|/)`", " ".join(first_cells)) == list(LADDER)
