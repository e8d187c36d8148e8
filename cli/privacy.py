"""What is not kept: old bodies and rows, and everything about one person."""

from collections.abc import Iterator
from datetime import timedelta
from typing import cast

import click
from attrs import frozen
from sqlalchemy import Table, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import models
import webhooks
from cli.group import commit_each, email_commands
from database import Base, changed_rows, db, in_batches, utc_now
from errors import InvalidMessage
from message import Address
from models import Signup, User
from outbox import retention, suppression


class StillReferenced(Exception):
    """An account cannot be removed while other tables refer to it."""


@frozen(kw_only=True)
class Forgotten:
    """How much there was about somebody."""

    emails: int
    events: int
    accounts: int
    signups: int
    suppressions: int


def forget_person(session: Session, address: str) -> Forgotten:
    """Remove whatever is stored about `address`, and take back what waits for it.

    Raises `retention.StillSending` and `StillReferenced`; roll back then.
    """
    address = address.lower()
    email_ids = retention.forget_emails(session, address)
    return Forgotten(
        emails=len(email_ids),
        events=webhooks.forget(session, address, email_ids),
        accounts=_forget_account(session, address),
        signups=changed_rows(session, delete(Signup).where(Signup.email == address)),
        suppressions=suppression.forget(session, address),
    )


def _forget_account(session: Session, address: str) -> int:
    user = session.scalar(select(User).where(User.email == address))
    if user is None:
        return 0
    try:
        with session.begin_nested():
            models.forget_user(session, user)
    except IntegrityError:
        tables = (
            " and ".join(_tables_about(session, user)) or "a table that models.py does not know"
        )
        raise StillReferenced(
            f"{tables} still refers to {address}'s account; let forget_user in models.py delete or "
            "anonymise its rows before the account"
        ) from None
    return 1


def _tables_about(session: Session, user: User) -> list[str]:
    """The tables with rows that refer to `user`, and do not go or let go with it."""
    return [
        table.name
        for table in Base.metadata.sorted_tables
        for key in table.foreign_keys
        if key.references(Base.metadata.tables[User.__tablename__])
        and (key.ondelete or "").upper() not in ("CASCADE", "SET NULL")
        and session.scalar(select(exists().where(key.parent == getattr(user, key.column.key))))
    ]


def _remove_signups(session: Session, *, older_than: timedelta) -> Iterator[int]:
    """Remove sign-ups that nobody confirmed, in batches. Yields how many; commit then."""
    table = cast(Table, Signup.__table__)
    for ids in in_batches(session, table.c.id, table.c.created_at < utc_now() - older_than):
        yield changed_rows(session, delete(Signup).where(Signup.id.in_(ids)))


@email_commands.command("purge")
@click.option("--bodies", type=click.IntRange(0), default=14, show_default=True, metavar="DAYS")
@click.option("--rows", type=click.IntRange(1), default=90, show_default=True, metavar="DAYS")
@click.option("--signups", type=click.IntRange(1), default=30, show_default=True, metavar="DAYS")
def purge(bodies: int, rows: int, signups: int) -> None:
    """Remove the bodies and, later, the rows of emails that are done with. Run it daily.

    What still waits, is being sent, or is unknown stays whole. Sign-ups that nobody confirmed go
    as well.
    """
    if rows < bodies:
        raise click.UsageError("--rows must not be less than --bodies")
    session, old = db.session(), timedelta(days=rows)
    redacted = commit_each(retention.remove_bodies(session, older_than=timedelta(days=bodies)))
    removed = commit_each(retention.remove_rows(session, older_than=old))
    commit_each(webhooks.remove_old(session, older_than=old))
    dropped = commit_each(_remove_signups(session, older_than=timedelta(days=signups)))
    click.echo(f"{redacted} bodies, {removed} emails and {dropped} sign-ups removed")


@email_commands.command("forget")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(address: str, yes: bool) -> None:
    """Remove the account, the sign-ups, the emails and the events of ADDRESS for good.

    Whether the address is suppressed is kept under a salted hash, so that it stays so.
    """
    try:
        person = Address.parse(address).email
    except InvalidMessage as error:
        raise click.BadParameter(str(error)) from None
    if not yes:
        click.confirm(f"Remove everything about {person}, and take back what waits?", abort=True)
    try:
        forgotten = forget_person(db.session(), person)
        db.session.commit()
    except (retention.StillSending, StillReferenced) as error:
        db.session.rollback()
        raise click.ClickException(f"nothing was removed: {error}") from None
    click.echo(
        f"{forgotten.emails} emails, {forgotten.events} events, {forgotten.accounts} accounts and "
        f"{forgotten.signups} sign-ups removed; {forgotten.suppressions} suppressions kept as "
        "hashes. "
        "Remove them at your provider, too."
    )
