"""Who is not written to: look, add, remove, and move the list in and out as CSV."""

import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import get_args

import click

from cli.csv_file import FILE, CsvRow, defused, open_csv, restored, with_bar
from cli.group import commit_each, email_commands
from database import db, iso, transaction
from errors import InvalidMessage
from message import Address
from outbox import suppression

COLUMNS = ("address", "scope", "reason", "source", "created_at")

SCOPES = click.Choice(get_args(suppression.Scope))
BY_NAME: dict[str, suppression.Scope] = {scope: scope for scope in get_args(suppression.Scope)}
BATCH = 500  # rows a transaction


@email_commands.group("suppressions")
def suppressions() -> None:
    """Addresses that get no email: none at all, or no marketing."""


@suppressions.command("list")
def list_all() -> None:
    """List them, the newest first."""
    with transaction() as session:  # ended before a pager can hold it up
        rows = suppression.every_suppression(session)
    for row in rows:
        columns = (iso(row.created_at), f"{row.scope:<9}", row.address, row.reason)
        click.echo("  ".join((*columns, f"({row.source})")))
    if not rows:
        click.echo("nobody is suppressed")


@suppressions.command("add")
@click.argument("address")
@click.option("--scope", type=SCOPES, default="all", show_default=True)
@click.option("--reason", default="added by hand", show_default=True)
def add(address: str, scope: suppression.Scope, reason: str) -> None:
    """Stop emails to ADDRESS, from the next one on."""
    new = suppression.suppress(
        db.session(), _checked(address), scope, reason=reason, source="flask email suppressions add"
    )
    db.session.commit()
    click.echo(f"{address} gets no {_what(scope)} any more{'' if new else ', as before'}")


@suppressions.command("remove")
@click.argument("address")
@click.option("--scope", type=SCOPES, help="Only this one; all of them by default.")
def remove(address: str, scope: suppression.Scope | None) -> None:
    """Allow emails to ADDRESS again. Some providers keep a list of their own beside ours."""
    if not suppression.lift(db.session(), _checked(address), scope):
        raise click.ClickException(f"{address} is not suppressed")
    db.session.commit()
    click.echo(f"{address} may be written to again")


@suppressions.command("export")
def export() -> None:
    """Write all of them to standard output as CSV."""
    with transaction() as session:
        rows = suppression.every_suppression(session)
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for row in reversed(rows):
        cells = (row.address, row.scope, row.reason, row.source, iso(row.created_at))
        writer.writerow([defused(cell) for cell in cells])


@suppressions.command("import")
@click.argument("file", type=FILE)
def import_file(file: Path) -> None:
    """Add those of FILE, a CSV with a column `address` and, if you like, `scope` and `reason`.

    Nothing is added if one line is wrong.
    """
    with open_csv(file) as table:
        if "address" not in table.columns:
            raise click.ClickException(f"{file} has no column named address")
        for row in with_bar(table, "Checking"):
            _entry(file, row)
        rows = with_bar(table, "Adding")
        added = commit_each(_add(file, rows))
    click.echo(f"{added} added")


def _add(file: Path, rows: Iterator[CsvRow]) -> Iterator[int]:
    while some := list(islice(rows, BATCH)):
        yield suppression.suppress_many(db.session(), [_entry(file, row) for row in some])


def _entry(file: Path, row: CsvRow) -> suppression.NewSuppression:
    try:
        cells = {name: restored(cell) for name, cell in row.named().items()}
        scope = BY_NAME.get(cells.get("scope") or "all")
        if scope is None:
            raise ValueError("scope must be all or marketing")
        address = cells["address"]
        if not address.startswith(suppression.FORGOTTEN):  # our own export of somebody forgotten
            address = Address.parse(address).email
    except InvalidMessage:
        raise click.ClickException(f"{file}, line {row.line}: not an email address") from None
    except ValueError as error:
        raise click.ClickException(f"{file}, line {row.line}: {error}") from None
    reason, source = (
        cells.get("reason") or "imported",
        cells.get("source") or "import of " + file.name,
    )
    return suppression.NewSuppression(address, scope, reason, source[:255])


def _checked(address: str) -> str:
    try:
        return Address.parse(address).email
    except InvalidMessage as error:
        raise click.BadParameter(str(error)) from None


def _what(scope: suppression.Scope) -> str:
    return "email" if scope == "all" else "marketing email"
