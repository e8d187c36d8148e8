"""Who is not written to: look, add, remove, and move the list in and out as CSV."""

import csv
import sys
from pathlib import Path
from typing import Any, get_args

import click

from cli.group import email_commands
from database import db, iso, transaction
from errors import InvalidMessage
from message import Address
from outbox import suppression

COLUMNS = ("address", "scope", "reason", "source", "created_at")

SCOPES = click.Choice(get_args(suppression.Scope))
BY_NAME: dict[str, suppression.Scope] = {scope: scope for scope in get_args(suppression.Scope)}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


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
        writer.writerow((row.address, row.scope, row.reason, row.source, iso(row.created_at)))


@suppressions.command("import")
@click.argument("file", type=FILE)
def import_file(file: Path) -> None:
    """Add those of FILE, a CSV with a column `address` and, if you like, `scope` and `reason`.

    All of them or, if one line is wrong, none.
    """
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if "address" not in (reader.fieldnames or ()):
            raise click.ClickException(f"{file} has no column named address")
        added = sum(_import(file, reader.line_num, row) for row in reader)
    db.session.commit()
    click.echo(f"{added} added")


def _import(file: Path, line: int, row: dict[str, Any]) -> bool:
    address, scope = str(row["address"] or "").strip(), BY_NAME.get(row.get("scope") or "all")
    if scope is None:
        raise click.ClickException(f"{file}, line {line}: scope must be all or marketing")
    if not address.startswith(suppression.FORGOTTEN):  # our own export of somebody forgotten
        try:
            address = Address.parse(address).email
        except InvalidMessage:
            raise click.ClickException(f"{file}, line {line}: not an email address") from None
    reason, source = row.get("reason") or "imported", row.get("source") or f"import of {file.name}"
    return suppression.suppress(
        db.session(), address, scope, reason=str(reason), source=str(source)[:255]
    )


def _checked(address: str) -> str:
    try:
        return Address.parse(address).email
    except InvalidMessage as error:
        raise click.BadParameter(str(error)) from None


def _what(scope: suppression.Scope) -> str:
    return "email" if scope == "all" else "marketing email"
