"""The group that the commands of this package join."""

from typing import Any

import click
from flask.cli import AppGroup

from extensions import DATABASE_ERRORS


class _EmailGroup(AppGroup):
    """Says in one line what a database that is away or not migrated needs."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DATABASE_ERRORS as error:
            words = str(getattr(error, "orig", error)).strip().partition("\n")[0]
            raise click.ClickException(
                f"the database refused ({words}); if tables are missing, run: flask db upgrade"
            ) from error


email_commands = _EmailGroup("email", help="Try, list, show, retry and export emails.")
