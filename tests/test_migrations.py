"""The migrations make exactly the tables of the models, and lose no rows, on both databases."""

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import func, select, text

from database import Base, db
from outbox import Attempt, EmailEvent, OutboxRow
from tests.conftest import MakeApp
from tests.outbox.rows import open_attempt, queue
from tools.processes import ROOT

HEAD = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
HEADER = f"""
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None
"""
REBUILD = """
def upgrade():
    with op.batch_alter_table("outbox", recreate="auto") as batch:
        batch.alter_column("subject", type_=sa.String(998), existing_nullable=False)


def downgrade():
    with op.batch_alter_table("outbox", recreate="auto") as batch:
        batch.alter_column("subject", type_=sa.Text(), existing_nullable=False)
"""
ORPHANS = """
def upgrade():
    op.execute("CREATE TABLE reached (id INTEGER)")
    op.execute("DELETE FROM outbox")
"""


def test_migrations_and_models_agree(make_app: MakeApp, database_url: str):
    app = make_app(DATABASE_URL=database_url)
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
        assert differences == [], 'write the migration: flask db migrate -m "what changed"'


def test_migrations_go_down_and_up_again(make_app: MakeApp, database_url: str):
    app = make_app(DATABASE_URL=database_url)
    with app.app_context():
        downgrade(revision="base")
        upgrade()
        assert app.test_client().get("/readyz").status_code == 200


def with_next(folder: Path, body: str) -> str:
    """The directory of our migrations and one more."""
    ours = shutil.copytree(ROOT / "migrations", folder / "migrations")
    (ours / "versions" / "next.py").write_text(HEADER + body, encoding="utf-8")
    return str(ours)


def an_email_with_its_story() -> None:
    email_id = queue()
    open_attempt(email_id, "resend")
    db.session.add(EmailEvent(email_id=email_id, type="delivered"))
    db.session.commit()


def counts() -> list[int]:
    try:
        tables = (OutboxRow, Attempt, EmailEvent)
        return [db.session.scalar(select(func.count()).select_from(each)) or 0 for each in tables]
    finally:
        db.session.rollback()


def test_a_migration_that_rebuilds_the_outbox_keeps_every_row(
    make_app: MakeApp, database_url: str, tmp_path: Path
):
    directory = with_next(tmp_path, REBUILD)
    with make_app(DATABASE_URL=database_url).app_context():
        an_email_with_its_story()
        upgrade(directory)
        assert counts() == [1, 1, 1]
        downgrade(directory)
        assert counts() == [1, 1, 1]


def test_on_sqlite_a_migration_that_leaves_orphans_is_undone_and_says_which(
    app: Flask, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    directory = with_next(tmp_path, ORPHANS)
    with app.app_context():
        an_email_with_its_story()
        with pytest.raises(SystemExit):
            upgrade(directory)
        assert "attempts (1 row), email_events (1 row), outbox_bodies (1 row)" in caplog.text
        assert counts() == [1, 1, 1]
        with db.engine.connect() as connection:
            assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
            assert connection.scalar(text("PRAGMA foreign_keys")) == 1
            assert not connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name='reached'"))
