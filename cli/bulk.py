"""One email for each row of a CSV: all rows are checked first, and none is stored twice."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import click
from attrs import frozen

from background import send_many_in_background
from cli.arguments import Argument, arguments_of, column_problems, find_email, read_cells
from cli.csv_file import FILE, BadLine, CsvFile, CsvRow, open_csv, with_bar
from cli.group import email_commands
from database import db, iso
from emails import Email
from errors import InvalidMessage
from extensions import email
from message import EmailMessage
from outbox import Enqueued, bulk

BATCH = 500  # rows a transaction
SHOWN = 20  # wrong rows that are listed; of the others the count is told


@email_commands.command("send-csv")
@click.argument("file", type=FILE)
@click.option("--email", "name", required=True, help="Which email.")
@click.option("--dry-run", is_flag=True, help="Check every row, and store none.")
@click.option("--again", is_flag=True, help="Queue a file once more that was queued before.")
def send_csv(file: Path, name: str, dry_run: bool, again: bool) -> None:
    """Queue one email for each row of FILE, a CSV whose columns are the email's arguments.

    Every row is checked before the first is stored. If the run breaks off, the same command goes
    on with it; a file that was queued as a whole is refused, unless you say --again.
    """
    with open_csv(file) as table:
        mailing = _Mailing.of(find_email(name), table)
        if dry_run:
            click.echo(f"{_check(mailing):,} rows are fine; nothing was stored")
            return
        run = _begin_or_go_on(mailing, again=again)
        _store(mailing, run)


@frozen
class _Mailing:
    """An email, and the file with its arguments."""

    email: Email
    arguments: Mapping[str, Argument]
    table: CsvFile

    @classmethod
    def of(cls, kind: Email, table: CsvFile) -> "_Mailing":
        """Raises `click.ClickException` if the columns are not the email's arguments."""
        arguments = arguments_of(kind)
        if problems := column_problems(kind, arguments, table.columns):
            raise click.ClickException("\n  ".join(["the columns do not fit:", *problems]))
        return cls(kind, arguments, table)

    def compose(self, row: CsvRow) -> EmailMessage:
        """The email of one row. Raises `ValueError`, and what its function and templates raise."""
        values = read_cells(self.arguments, row.named())
        return email.complete(self.email.compose(**values))


def _begin_or_go_on(mailing: _Mailing, *, again: bool) -> bulk.Run:
    file_hash, name = mailing.table.hash(), mailing.email.name
    last = bulk.latest(db.session(), file_hash, name)
    db.session.rollback()  # nothing is held while the rows are checked
    if last and not last.finished_at:
        click.echo(f"going on after {last.rows_stored:,} of {last.rows_total:,} rows", err=True)
        return last
    if last and last.finished_at and not again:
        raise click.ClickException(
            f"this file was queued as {name} on {iso(last.finished_at)}, all "
            f"{last.rows_total:,} rows; add --again if everybody is to get it once more"
        )
    total = _check(mailing)
    try:
        run = bulk.begin(db.session(), file_hash, name, rows_total=total, after=last)
    except bulk.RunTaken:
        raise _taken() from None
    db.session.commit()
    return run


def _check(mailing: _Mailing) -> int:
    """Compose every row; how many there are. Raises `click.ClickException` if one is wrong."""
    problems: list[str] = []
    wrong = total = 0
    try:
        for row in with_bar(mailing.table, "Checking"):
            total += 1
            try:
                mailing.compose(row)
            except Exception as error:  # whatever an email's function or template may raise
                wrong += 1
                if wrong <= SHOWN:
                    problems.append(f"line {row.line}: {_words(error)}")
    except BadLine as error:
        wrong += 1
        problems.append(f"{error}. What follows was not read.")
    for problem in problems:
        click.echo(problem, err=True)
    if wrong > len(problems):
        click.echo(f"and {wrong - len(problems):,} more", err=True)
    if wrong or not total:
        what = f"{wrong:,} rows are wrong" if wrong else "there is no row below the columns"
        raise click.ClickException(f"{what}; nothing was stored. Mend the file and try again.")
    return total


def _store(mailing: _Mailing, run: bulk.Run) -> None:
    counts = [0, 0, 0]
    rows = with_bar(mailing.table, "Storing", skip=run.rows_stored)
    try:
        while batch := list(islice(rows, BATCH)):
            messages = [_message(mailing, run, row) for row in batch]
            run, enqueued = _store_batch(mailing, run, messages)
            became = (len(enqueued.queued), enqueued.suppressed, enqueued.known)
            counts = [sum(each) for each in zip(counts, became, strict=True)]
    except KeyboardInterrupt:
        click.echo("\nstopped; the same command goes on with the rest", err=True)
        raise
    queued, suppressed, known = counts
    click.echo(
        f"{queued:,} emails queued, {suppressed:,} suppressed, {known:,} there before; "
        "the running app delivers them"
    )


def _message(mailing: _Mailing, run: bulk.Run, row: CsvRow) -> EmailMessage:
    try:
        return mailing.compose(row).with_intent_key(run.intent_key(row.line))
    except Exception as error:  # the rows were checked, so the code changed since
        raise click.ClickException(
            f"line {row.line}: {_words(error)}. It was fine when the run began: mend the email "
            f"and not the file, which would count as another one; {_goes_on(run)}"
        ) from error


def _store_batch(
    mailing: _Mailing, run: bulk.Run, messages: list[EmailMessage]
) -> tuple[bulk.Run, Enqueued]:
    if mailing.table.has_changed:
        raise click.ClickException(
            f"somebody wrote to the file meanwhile: put it back as it was; {_goes_on(run)}"
        )
    try:
        run = bulk.advance(db.session(), run, len(messages))
    except bulk.RunTaken:
        db.session.rollback()
        raise _taken() from None
    enqueued = send_many_in_background(messages)
    db.session.commit()
    return run, enqueued


def _words(error: Exception) -> str:
    known = isinstance(error, ValueError | InvalidMessage)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _goes_on(run: bulk.Run) -> str:
    return (
        f"{run.rows_stored:,} of {run.rows_total:,} rows are stored, "
        "and the same command goes on with the rest"
    )


def _taken() -> click.ClickException:
    return click.ClickException("another process stores this file; wait until it has ended")
