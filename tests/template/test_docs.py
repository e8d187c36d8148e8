"""The documents say what is true: names, links, commands, settings and the README's own code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, FileSystemLoader

import emails.compose
import providers.resend.sending
from cli import email_commands
from cli.scaffold import INDEX, create_email
from config import SETTINGS
from email_service import EmailService
from message import EmailMessage
from testing import assert_email_sent
from tests.template.test_ladder import LADDER
from tools.processes import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "from-the-guide.md").read_text(encoding="utf-8")
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]

# Words in capitals with an underscore that are no settings of the app.
NO_SETTINGS = {"NAME_FILE"}

IMPORT_EACH = """
import pkgutil, sys
for name in sys.argv[1:]:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError) as error:
        print(name, error)
"""


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def code_block(language: str, part: str) -> str:
    [found] = [block for block in code_blocks(language) if part in block]
    return found


def code(text: str) -> str:
    """The code of a document: its blocks and its spans, one a line."""
    blocks = re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M))
    return "\n".join(blocks + spans)


def our_names() -> list[str]:
    names = GUIDE.partition("## Names")[2].partition("\n## ")[0]
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_relative_link_leads_to_a_file(document: Path):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    relative = [link for link in links if "://" not in link]
    assert [link for link in relative if not (document.parent / link).exists()] == []


def test_the_readme_names_every_flask_email_command_and_no_other():
    named = set(re.findall(r"flask email ([a-z][a-z-]*)", code(README)))
    assert named == set(email_commands.commands)


@pytest.mark.parametrize(
    "command",
    ["flask db upgrade", "flask run", "gunicorn app:app", "celery -A tasks worker --loglevel=info"],
)
def test_the_readme_prints_the_commands_of_web_and_worker(command: str):
    assert command in README


def test_the_documents_name_only_flask_email_commands_that_exist():
    text = "\n".join(code(path.read_text(encoding="utf-8")) for path in DOCUMENTS)
    assert set(re.findall(r"flask email ([a-z][a-z-]*)", text)) <= set(email_commands.commands)


def test_every_make_target_of_the_documents_is_listed_by_make_help():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))  # as `make help` does
    text = "\n".join(code(path.read_text(encoding="utf-8")) for path in DOCUMENTS)
    named = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert {"run", "test"} <= named <= listed


def test_every_setting_of_the_readme_exists():
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", README))
    assert named - NO_SETTINGS <= {setting.name for setting in SETTINGS}


def test_the_least_of_production_is_what_the_app_demands():
    block = code_block("ini", "SECRET_KEY=")
    required = {setting.name for setting in SETTINGS if setting.required}
    assert set(re.findall(r"^(\w+)=", block, re.MULTILINE)) == required | {"RESEND_API_KEY"}


def test_the_table_of_the_house_names_every_room_in_the_order_of_imports():
    table = README.partition("## The house")[2].partition("\n## ")[0]
    first_cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)(?:\.py|/)`", " ".join(first_cells))
    assert named == list(LADDER)


def test_the_first_email_of_the_readme_is_sent(app: Flask, outbox_emails: list[EmailMessage]):
    with app.app_context():
        exec(code_block("python", "send_in_background("), {})  # noqa: S102  our own README
    assert_email_sent(outbox_emails, to="ann@example.com", subject="Welcome, Ann")


def test_the_words_of_the_readme_fit_the_email_that_its_command_writes(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for folder in ("emails", "templates/emails", "tests/emails"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / INDEX, tmp_path / INDEX)
    [name] = re.findall(r"^flask email new (\S+)$", README, re.MULTILINE)
    create_email(name, tmp_path)
    page = tmp_path / "templates" / "emails" / f"{name}.html"
    first, _, rest = page.read_text(encoding="utf-8").partition("{% block preheader")
    why = "{% block why" + rest.partition("{% block why")[2]
    page.write_text(first + code_block("html", "ui.heading(") + why, encoding="utf-8")

    ours = app.jinja_env.loader
    assert ours is not None
    templates = [FileSystemLoader(tmp_path / "templates"), ours]
    monkeypatch.setattr(app.jinja_env, "loader", ChoiceLoader(templates))
    monkeypatch.setattr(emails.compose, "_emails", {})
    module = tmp_path / "emails" / f"{name.replace('-', '_')}.py"
    exec(module.read_text(encoding="utf-8"), {"__name__": "emails.trials"})  # noqa: S102  the same
    [added] = emails.compose._emails.values()
    with app.app_context():
        message = added.compose(**added.samples["normal"])
    assert "Hi Ann, three days left</h1>" in message.html
    assert "Choose a plan</a>" in message.html


def test_the_provider_that_the_readme_adds_maps_a_message():
    names: dict[str, Any] = dict(vars(providers.resend.sending))
    exec(code_block("python", "(HttpProvider)"), names)  # noqa: S102  the same
    provider = names["Acme"]("key", "https://api.acme.example.com")
    message = EmailMessage(to="ann@example.com", subject="Hi", html="<p>Hi</p>")
    request = provider.build(message, message.id)
    assert request.path == "/send"
    assert b"ann@example.com" in request.body


def test_the_tests_of_the_readme_pass(client: Any, outbox_emails: list[EmailMessage]):
    def remind(service: EmailService, to: str) -> None:
        service.send(EmailMessage(to=to, subject="Still there?", html="<p>Hello</p>"))

    names: dict[str, Any] = {
        "assert_email_sent": assert_email_sent,
        "MagicMock": MagicMock,
        "EmailService": EmailService,
        "remind": remind,
    }
    exec(code_block("python", "def test_"), names)  # noqa: S102  the same
    names["test_sign_up_sends_the_welcome_email"](client, outbox_emails)
    names["test_a_reminder_is_sent_once"]()
