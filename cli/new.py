"""A new email, from nothing to something in the gallery."""

from pathlib import Path

import click
from flask import current_app

from cli.group import email_commands
from cli.scaffold import create_email


@email_commands.command("new")
@click.argument("name")
def new(name: str) -> None:
    """Write a new email, ready to edit: function, templates, sample and test."""
    try:
        paths = create_email(name, Path(current_app.root_path))
    except (ValueError, FileExistsError) as error:
        raise click.BadParameter(str(error)) from None
    for path in paths:
        click.echo(f"wrote {path}")
    click.echo(f"look at it: {current_app.config['APP_URL']}/preview?email={name}")
