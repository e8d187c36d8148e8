"""Whether emails can be accepted and are being delivered, for `/readyz` and the doctor alike."""

from functools import cache

from alembic.script import ScriptDirectory
from attrs import frozen
from flask import current_app
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

import outbox
from extensions import db

LATE = 120.0  # seconds the oldest due email may wait before something is wrong with delivery


@frozen
class Trouble:
    """What is wrong, and what to do about it."""

    problem: str
    remedy: str


def database_trouble() -> Trouble | None:
    """Why the database cannot be used; None if it can."""
    try:
        with db.engine.connect() as connection:
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError as error:
        if "alembic_version" in str(error.orig):
            return Trouble("has no tables", "run: flask db upgrade")
        return Trouble("cannot be reached", "check DATABASE_URL")
    if revision != _newest_revision():
        return Trouble("not up to date", "run: flask db upgrade")
    return None


def queue_trouble() -> Trouble | None:
    """Why emails seem not to be delivered; None if they are, or wait for their provider."""
    age = outbox.oldest_due_age(callable_only=True)
    if age <= LATE:
        return None
    return Trouble(f"the oldest due email has waited {age:.0f} s", "check the workers")


@cache
def _newest_revision() -> str | None:
    return ScriptDirectory(current_app.extensions["migrate"].directory).get_current_head()
