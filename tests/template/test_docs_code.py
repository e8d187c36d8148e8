"""The code of README and docs/ works: each block is linted, type-checked and run.

A block of Python runs by itself in an app context. One whose first line names a file is put into
that file, in a copy of this repository; its tests, and the rules that it could break, run there.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from message import EmailMessage
from testing import assert_email_sent
from tests.template.documents import PAGES, README, Block, apply, blocks
from tests.template.first_steps import copy_repository, run
from tools.processes import ROOT

SAMPLE_PROVIDER = ROOT / "tests" / "providers" / "sample_provider.py"
BUILT = ("emails.md", "make-it-yours.md")  # whose commands write files, which later blocks need
BUILDING = ("flask email new ", "flask db migrate ", "flask db upgrade")
RULES = (
    "tests/blueprints/test_routes.py",
    "tests/emails/test_every_email.py",
    "tests/emails/test_trial_ends.py",
    "tests/emails/test_project_created.py",
)

PYTHON = [
    block
    for page in PAGES
    for block in blocks(page, "python")
    if block.text != SAMPLE_PROVIDER.read_text(encoding="utf-8")  # which has tests of its own
]
ALONE = [block for block in PYTHON if not block.file]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository after a reader has done what the pages say."""
    folder = tmp_path_factory.mktemp("docs") / "copy"
    copy_repository(folder)
    if (ROOT / ".mypy_cache").exists():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    run(folder, "flask", "db", "upgrade")  # as `make run` does
    for page in PAGES:
        for block in blocks(page, "sh", "python", "html"):
            if block.language == "sh" and page.name in BUILT:
                build(block, folder)
            elif block.file:
                apply(block, folder)
    for block in ALONE:
        (folder / "tests" / f"{block}.py").write_text(block.text, encoding="utf-8")
    return folder


def build(block: Block, folder: Path) -> None:
    for command in block.text.splitlines():
        if command.startswith(BUILDING):
            run(folder, *command.split())


def written(folder: Path) -> list[str]:
    """The Python files that the pages write or change."""
    return sorted({block.file or f"tests/{block}.py" for block in PYTHON})


def test_the_pages_build_a_table_an_email_a_page_a_command_and_tests(copy: Path):
    tests = [path for path in written(copy) if Path(path).name.startswith("test_")]
    assert len(tests) >= 3
    run(copy, "python", "-m", "pytest", "-n", "0", "-q", *tests, *RULES)


def test_forgetting_somebody_takes_their_projects_along(copy: Path):
    code = (
        "from app import create_app\n"
        "from database import db\n"
        "from models import Project, User, forget_user\n"
        "with create_app().app_context():\n"
        "    ann = User(email='ann@example.com', name='Ann')\n"
        "    db.session.add(ann)\n"
        "    db.session.flush()\n"
        "    db.session.add(Project(owner_id=ann.id, name='Moon'))\n"
        "    db.session.flush()\n"
        "    forget_user(db.session(), ann)\n"
        "    db.session.flush()\n"
        "    assert not db.session.query(Project).count() + db.session.query(User).count()\n"
        "    db.session.rollback()\n"
    )
    done = subprocess.run(
        [copy / ".venv" / "bin" / "python", "-c", code],
        cwd=copy,
        env={"FLASK_DEBUG": "1", "EMAIL_DELIVERY": "sync"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_block_of_python_is_linted_and_typed(copy: Path):
    # Imports that two blocks add to a file are sorted by `make lint`; nothing else may be amiss.
    changed = [path for path in written(copy) if (ROOT / path).exists()]
    run(copy, "ruff", "check", "-q", "--select", "I", "--fix", *changed)
    run(copy, "ruff", "check", *written(copy))
    run(copy, "mypy", *written(copy))


@pytest.mark.parametrize("block", ALONE, ids=str)
def test_a_block_of_python_runs(app: Flask, outbox_emails: list[EmailMessage], block: Block):
    with app.app_context():
        exec(block.text, {})  # noqa: S102  our own documents


def test_the_first_email_of_the_readme_is_sent(app: Flask, outbox_emails: list[EmailMessage]):
    [block] = blocks(README, "python")
    with app.app_context():
        exec(block.text, {})  # noqa: S102  the same
    assert_email_sent(outbox_emails, to="ann@example.com", subject="Welcome, Ann")


def test_the_first_email_by_curl_is_what_the_api_takes(
    app: Flask, outbox_emails: list[EmailMessage]
):
    [line] = [b.text for b in blocks(README, "sh") if b.text.startswith("curl")]
    found = re.fullmatch(
        r"curl -X POST http://localhost:5000(\S+) -H \"Content-Type: (\S+)\" -d '(.*)'\n", line
    )
    assert found, "the curl line of README.md has changed"
    path, content_type, body = found.groups()
    answer = app.test_client().post(path, data=body, content_type=content_type)
    assert answer.status_code == 202
    assert_email_sent(outbox_emails, to="user@example.com", subject="Welcome, Alice")


def test_the_words_of_the_added_email_are_those_of_the_page(copy: Path, tmp_path: Path):
    run(copy, "flask", "email", "export", str(tmp_path))
    [page] = tmp_path.glob("trial-ends*normal*.html")
    html = page.read_text(encoding="utf-8")
    assert "Hi Ann, three days left</h1>" in html
    assert "Choose a plan</a>" in html


def test_the_provider_that_the_page_adds_is_the_one_that_is_tested():
    page = ROOT / "docs" / "providers.md"
    sample = SAMPLE_PROVIDER.read_text(encoding="utf-8")
    found = [block.text for block in blocks(page, "python") if "(HttpProvider)" in block.text]
    assert found == [sample], "copy tests/providers/sample_provider.py into docs/providers.md"
