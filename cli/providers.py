"""Who may be called now."""

import click

import outbox
from cli.group import email_commands
from database import db, utc_now
from extensions import email


@email_commands.command("providers")
def providers() -> None:
    """Show which providers may be called now, and why not."""
    statuses = outbox.breaker.call_statuses(db.session(), email.chain, utc_now())
    for name, status in statuses.items():
        click.echo(f"{name:<10} {status}")
