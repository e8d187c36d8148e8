"""How the emails of each name fared."""

import re
from datetime import datetime, timedelta

import attrs
import click

import outbox
from cli.group import email_commands
from database import transaction, utc_now

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def _since(_context: click.Context, _option: click.Parameter, value: str) -> datetime:
    span = re.fullmatch(r"(\d{1,4})([hdw])", value)
    if not span:
        raise click.BadParameter("must be like 24h, 30d or 4w")
    return utc_now() - timedelta(**{UNITS[span[2]]: int(span[1])})


@email_commands.command("stats")
@click.option("--since", default="30d", show_default=True, callback=_since, metavar="SPAN")
def stats(since: datetime) -> None:
    """Count the emails of each name that were accepted, delivered, opened and so on."""
    with transaction() as session:
        rows = outbox.reading.totals(session, since=since)
    names = [field.name for field in attrs.fields(outbox.reading.Totals)]
    click.echo("".join(f"{name:<18}" if name == "kind" else f"{name:>13}" for name in names))
    for row in rows:
        kind, *counts = attrs.astuple(row)
        click.echo(f"{kind or '-':<18}" + "".join(f"{count:>13}" for count in counts))
    if not rows:
        click.echo("no emails in this time")
