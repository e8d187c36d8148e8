"""The group that the commands of this package join, and what several of them do."""

from collections.abc import Iterator
from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo
from sqlalchemy.exc import SQLAlchemyError

from database import db, why_unavailable


class _EmailGroup(AppGroup):
    """Says in one line what a database that is away or not migrated needs."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SQLAlchemyError as error:
            with ctx.ensure_object(ScriptInfo).load_app().app_context():
                reason = why_unavailable(error)
            if reason is None:
                raise
            raise click.ClickException(f"the database refused ({reason})") from error


def commit_each(counts: Iterator[int]) -> int:
    """Commit whenever some rows were changed; how many it were in all."""
    total = 0
    for count in counts:
        db.session.commit()
        total += count
    return total


email_commands = _EmailGroup("email", help="Try, list, show, retry and export emails.")
