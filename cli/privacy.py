"""What is not kept: old bodies and rows, and everything about one person."""

from collections.abc import Callable
from datetime import timedelta

import click

import webhooks
from cli.group import email_commands
from errors import InvalidMessage
from extensions import db
from message import Address
from outbox import retention


@email_commands.command("purge")
@click.option("--bodies", type=click.IntRange(0), default=14, show_default=True, metavar="DAYS")
@click.option("--rows", type=click.IntRange(1), default=90, show_default=True, metavar="DAYS")
def purge(bodies: int, rows: int) -> None:
    """Remove the bodies and, later, the rows of emails that are done with. Run it daily.

    What still waits, is being sent, or is unknown stays whole.
    """
    if rows < bodies:
        raise click.UsageError("--rows must not be less than --bodies")
    blanked = _in_batches(retention.remove_bodies, timedelta(days=bodies))
    removed = _in_batches(retention.remove_rows, timedelta(days=rows))
    webhooks.remove_old(db.session(), older_than=timedelta(days=rows))
    db.session.commit()
    click.echo(f"{blanked} bodies and {removed} emails removed")


def _in_batches(remove: Callable[..., int], age: timedelta) -> int:
    total = 0
    while count := remove(db.session(), older_than=age):
        db.session.commit()
        db.session.expunge_all()  # bodies are large
        total += count
    return total


@email_commands.command("forget")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(address: str, yes: bool) -> None:
    """Remove the account, the emails and the events of ADDRESS for good.

    Whether the address is suppressed is kept under a keyed hash, so that it stays so.
    """
    try:
        person = Address.parse(address).email
    except InvalidMessage as error:
        raise click.BadParameter(str(error)) from None
    if not yes:
        click.confirm(f"Remove everything about {person}, and take back what waits?", abort=True)
    try:
        forgotten = retention.forget(db.session(), person)
    except retention.StillSending as error:
        raise click.ClickException(str(error)) from None
    db.session.commit()
    click.echo(
        f"{forgotten.emails} emails, {forgotten.events} events and {forgotten.accounts} accounts "
        f"removed; {forgotten.suppressions} suppressions kept as hashes. "
        "Remove them at your provider, too."
    )
