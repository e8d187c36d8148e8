"""Try an email, look at the outbox, mend what failed."""

from pathlib import Path

import attrs
import click

import outbox
from background import send_in_background
from cli.arguments import find_email
from cli.group import commit_each, email_commands
from database import db, iso, transaction, utc_now
from errors import InvalidMessage
from extensions import email
from message import Attachment, EmailMessage
from outbox import Lane, OutboxRow, State
from setting_types import host_of, url

FILES = click.Path(exists=True, dir_okay=False, path_type=Path)


@email_commands.command("send-test")
@click.argument("to")
@click.option("--email", "name", default="welcome", show_default=True, help="Which email.")
@click.option("--sample", help="Which of its samples; the first by default.")
@click.option("--attach", type=FILES, multiple=True, help="A file to attach; may be repeated.")
def send_test(to: str, name: str, sample: str | None, attach: tuple[Path, ...]) -> None:
    """Send one email with sample data to TO, and say what became of it."""
    try:
        message = attrs.evolve(
            _sample(name, sample, to),
            attachments=[Attachment.from_path(path) for path in attach],
        )
    except InvalidMessage as error:
        raise click.BadParameter(str(error)) from None
    email_id = send_in_background(message).id
    db.session.commit()
    outbox.deliver(email_id)
    db.session.expire_all()
    row = _find(email_id)
    by = f" (provider {row.provider}: {row.provider_message_id})" if row.accepted_at else ""
    click.echo(f"{row.id} is {row.state}{by}")
    if row.state in (State.QUEUED, State.SENDING):
        click.echo(f"{row.last_error or _waits_for(row)}; the running app delivers it later")
    if row.state == State.SUPPRESSED:
        raise click.ClickException(f"it is not sent: {row.last_error}")
    if row.state != State.ACCEPTED:
        raise click.ClickException(f"not accepted yet; see: flask email show {row.id}")


@email_commands.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--to", help="Only those to this address.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
def list_emails(state: str | None, to: str | None, limit: int) -> None:
    """List the newest emails."""
    with transaction() as session:  # ended before a pager can hold it up
        rows = outbox.reading.recent(session, outbox.OutboxEmail, state=state, to=to, limit=limit)
    for row in rows:
        became = " ".join(filter(None, [row.delivery_status, *row.marks])) or "-"
        columns = (iso(row.created_at), row.id, f"{row.state:<10}", f"{row.kind or '-':<16}")
        waits = row.state == State.QUEUED and outbox.hosts.reason(row)
        recipient = f"{row.recipient} (of {row.host})" if waits else row.recipient
        click.echo("  ".join((*columns, f"{became:<10}", recipient)))
    if not rows:
        click.echo("no emails")


@email_commands.command("show")
@click.argument("email_id")
def show(email_id: str) -> None:
    """Show one email with its timeline."""
    row = _find(email_id)
    facts = {
        "id": row.id,
        "kind": row.kind,
        "to": row.recipient,
        "subject": row.subject,
        "state": row.state,
        "delivery": " ".join(filter(None, [row.delivery_status, *row.marks])) or None,
        "attempts": row.attempts,
        "provider": row.provider,
        "provider id": row.provider_message_id,
        "due": iso(row.due_at) if row.state == State.QUEUED else None,
        "last error": row.last_error,
        "waits for": _waits_for(row) if row.state == State.QUEUED else None,
    }
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name + ':':<13}{value}")
    for moment in outbox.timeline.moments(row):
        click.echo(f"  {iso(moment.at)}  {moment.type:<20} {moment.detail}".rstrip())


@email_commands.command("retry")
@click.argument("email_id", required=False)
@click.option("--failed", is_flag=True, help="Every email that failed.")
def retry(email_id: str | None, failed: bool) -> None:
    """Queue one failed email again, or all of them with --failed."""
    if bool(email_id) == failed:
        raise click.UsageError("give either an id or --failed")
    count, stays = 1, None
    if failed:
        count = commit_each(outbox.actions.retry_failed(db.session(), by=_this_command()))
    else:
        row = _find(email_id or "")
        stays = outbox.hosts.reason(row)
        if not outbox.actions.retry(db.session(), row.id, by=_this_command()):
            why = "its body was removed" if row.redacted_at else "only failed emails are retried"
            raise click.ClickException(f"{row.id} is {row.state}; {why}")
    db.session.commit()
    click.echo(f"{count} queued again; {stays or 'the running app delivers them'}")


@email_commands.command("cancel")
@click.argument("email_id")
def cancel(email_id: str) -> None:
    """Take back an email that is still queued."""
    row = _find(email_id)
    if not outbox.actions.cancel(db.session(), row.id, by=_this_command()):
        raise click.ClickException(f"{row.id} is {_state_now(row.id)}; only queued emails can be")
    db.session.commit()
    click.echo(f"{row.id} is cancelled")


@email_commands.command("resolve")
@click.argument("email_id")
@click.option("--sent", is_flag=True, help="It was accepted; the provider says so.")
@click.option("--resend", is_flag=True, help="Send it again, come what may.")
def resolve(email_id: str, sent: bool, resend: bool) -> None:
    """Decide about an email whose outcome is unknown (list them: --state unknown)."""
    if sent == resend:
        raise click.UsageError("give either --sent or --resend")
    row = _find(email_id)
    decide = outbox.actions.resolve_as_sent if sent else outbox.actions.resolve_by_resending
    if not decide(db.session(), row.id, by=_this_command()):
        raise click.ClickException(f"{row.id} is {_state_now(row.id)}, not unknown")
    db.session.commit()
    stays = None if sent else outbox.hosts.reason(row)
    again = f"queued again; {stays}" if stays else "queued again"
    click.echo(f"{row.id} is {'accepted' if sent else again}")


@email_commands.command("adopt")
@click.option("--from", "made_by", metavar="URL", required=True, help="The APP_URL of before.")
def adopt(made_by: str) -> None:
    """Send from here what was queued under another APP_URL: after a move, or in a copy.

    In a copy of a database that is still in use, everything is sent twice: there and here.
    """
    host = _host(made_by)
    if host == outbox.own_host():
        raise click.BadParameter(f"{host} is this app's own host", param_hint="--from")
    count = commit_each(outbox.hosts.adopt(db.session(), host, by=_this_command()))
    click.echo(f"{count} emails and changes of {host} are adopted; the running app delivers them")
    others = outbox.hosts.waiting(db.session())
    for other, waiting in others.items():
        click.echo(f"{waiting} of {other} still wait: {outbox.hosts.command(other)}")


def _host(made_by: str) -> str:
    try:
        return host_of(url(made_by if "://" in made_by else f"https://{made_by}"))
    except ValueError as error:
        raise click.BadParameter(f"{made_by!r} {error}", param_hint="--from") from None


def _sample(name: str, sample: str | None, to: str) -> EmailMessage:
    kind = find_email(name)
    sample = sample or next(iter(kind.samples))
    if sample not in kind.samples:
        raise click.BadParameter(f"{name} has the samples: {', '.join(kind.samples)}")
    return kind.compose(**{**kind.samples[sample], "to": to})


def _find(row_id: str) -> OutboxRow:
    row = db.session.get(outbox.OutboxRow, row_id.strip().lower())
    if row is None:
        raise click.ClickException(f"there is no email {row_id}; see: flask email list")
    return row


def _this_command() -> str:
    return f"by hand ({click.get_current_context().command_path})"


def _waits_for(row: OutboxRow) -> str:
    if of_another_host := outbox.hosts.reason(row):
        return of_another_host
    if row.due_at > utc_now():
        return "its time"
    if pause := outbox.lanes.paused(db.session()).get(Lane(row.lane)):
        return f"{row.category}, which is {pause} (flask email providers --resume-marketing)"
    statuses = outbox.breaker.call_statuses(db.session(), email.chain, utc_now())
    paused = [
        f"{name} is {status}"
        for name, status in statuses.items()
        if status.state is not outbox.breaker.CallState.OK
    ]
    if paused:
        return "; ".join(paused)
    return "a free sender; is the app or a worker running?"


def _state_now(email_id: str) -> str:
    db.session.rollback()
    return _find(email_id).state
