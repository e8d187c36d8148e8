"""What is on its way to the provider's list of subscribers."""

import click

import outbox
from cli.group import email_commands
from database import iso, transaction
from outbox import State


@email_commands.command("subscribers")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
def subscribers(state: str | None, limit: int) -> None:
    """List the newest changes of subscribers; `show`, `retry` and `cancel` take their ids."""
    with transaction() as session:
        rows = outbox.reading.recent(session, outbox.OutboxChange, state=state, limit=limit)
    for row in rows:
        columns = (iso(row.created_at), row.id, f"{row.state:<10}", f"{row.kind:<13}")
        click.echo("  ".join((*columns, row.recipient)))
    if not rows:
        click.echo("no changes")
