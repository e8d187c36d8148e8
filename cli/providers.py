"""Who may be called now."""

import click

import outbox
from cli.group import email_commands
from database import db, utc_now
from extensions import email as email_service


@email_commands.command("providers")
def providers() -> None:
    """Show which providers may be called now, and why not."""
    states = outbox.provider_states(db.session(), email_service.chain, utc_now())
    for name, state in states.items():
        click.echo(f"{name:<10} {state}")
