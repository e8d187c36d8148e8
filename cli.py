"""`flask email ...`: try an email, look at the outbox, mend what failed."""

from pathlib import Path

import attrs
import click
from flask import current_app
from flask.cli import AppGroup

import outbox
from background import send_in_background
from emails.compose import Email, all_emails
from errors import InvalidMessage
from extensions import db
from extensions import email as email_service
from message import Attachment, EmailMessage
from mime import to_mime
from models import OutboxEmail, State, iso, utc_now
from scaffold import create_email

email_commands = AppGroup("email", help="Try, list, show, retry and export emails.")

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
            _sample(name, sample),
            to=to,
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
    if row.state != State.ACCEPTED:
        raise click.ClickException(f"not accepted yet; see: flask email show {row.id}")


@email_commands.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
def list_emails(state: str | None, limit: int) -> None:
    """List the newest emails."""
    rows = outbox.recent(db.session(), state=state, limit=limit)
    for row in rows:
        columns = (iso(row.created_at), row.id, f"{row.state:<10}", f"{row.kind or '-':<15}")
        click.echo("  ".join((*columns, row.recipient)))
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
    for moment in outbox.timeline(row):
        click.echo(f"  {iso(moment.at)}  {moment.type:<20} {moment.detail}".rstrip())


@email_commands.command("retry")
@click.argument("email_id", required=False)
@click.option("--failed", is_flag=True, help="Every email that failed.")
def retry(email_id: str | None, failed: bool) -> None:
    """Queue one failed email again, or all of them with --failed."""
    if bool(email_id) == failed:
        raise click.UsageError("give either an id or --failed")
    if failed:
        count = outbox.retry_all_failed(db.session())
    else:
        row = _find(email_id or "")
        if not outbox.retry(db.session(), row.id):
            raise click.ClickException(f"{row.id} is {row.state}; only failed emails are retried")
        count = 1
    db.session.commit()
    click.echo(f"{count} queued again; the running app delivers them")


@email_commands.command("cancel")
@click.argument("email_id")
def cancel(email_id: str) -> None:
    """Take back an email that is still queued."""
    row = _find(email_id)
    if not outbox.cancel(db.session(), row.id):
        raise click.ClickException(f"{row.id} is {_state_now(row.id)}; only queued emails can be")
    db.session.commit()
    click.echo(f"{row.id} is cancelled")


@email_commands.command("resolve")
@click.argument("email_id")
@click.option("--sent", "how", flag_value="sent", help="It was accepted; the provider says so.")
@click.option("--resend", "how", flag_value="resend", help="Send it again, come what may.")
def resolve(email_id: str, how: str | None) -> None:
    """Decide about an email whose outcome is unknown (list them: --state unknown)."""
    if how is None:
        raise click.UsageError("give --sent or --resend")
    row = _find(email_id)
    decide = outbox.resolve_as_sent if how == "sent" else outbox.resolve_by_resending
    if not decide(db.session(), row.id):
        raise click.ClickException(f"{row.id} is {_state_now(row.id)}, not unknown")
    db.session.commit()
    click.echo(f"{row.id} is {'accepted' if how == 'sent' else 'queued again'}")


@email_commands.command("providers")
def providers() -> None:
    """Show which providers may be called now, and why not."""
    states = outbox.provider_states(db.session(), email_service.chain, utc_now())
    for name, state in states.items():
        click.echo(f"{name:<10} {state}")


@email_commands.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export(directory: Path) -> None:
    """Write every email with every sample to DIRECTORY as .html, .txt and .eml."""
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    for email in all_emails().values():
        for sample, fields in email.samples.items():
            message = email_service.complete(email.compose(**fields))
            path = directory / f"{email.name}--{sample.replace(' ', '-')}"
            path.with_suffix(".html").write_text(message.html, encoding="utf-8")
            path.with_suffix(".txt").write_text(message.text, encoding="utf-8")
            path.with_suffix(".eml").write_bytes(to_mime(message).as_bytes())
            count += 1
    click.echo(f"{count} emails written to {directory}")


@email_commands.command("new")
@click.argument("name")
def new(name: str) -> None:
    """Write a new email, ready to edit: function, templates, sample and test."""
    try:
        paths = create_email(name, Path(current_app.root_path))
    except (ValueError, FileExistsError) as error:
        raise click.BadParameter(str(error)) from None
    for path in paths:
        click.echo(f"wrote {path}")
    click.echo(f"look at it: {current_app.config['APP_URL']}/preview?email={name}")


def _sample(name: str, sample: str | None) -> EmailMessage:
    found = all_emails()
    if name not in found:
        raise click.BadParameter(f"there is no email {name!r}; there are: {', '.join(found)}")
    email: Email = found[name]
    sample = sample or next(iter(email.samples))
    if sample not in email.samples:
        raise click.BadParameter(f"{name} has the samples: {', '.join(email.samples)}")
    return email.compose(**email.samples[sample])


def _find(email_id: str) -> OutboxEmail:
    row = outbox.find(db.session(), email_id.strip().lower())
    if row is None:
        raise click.ClickException(f"there is no email {email_id}; see: flask email list")
    return row


def _waits_for(row: OutboxEmail) -> str:
    states = outbox.provider_states(db.session(), email_service.chain, utc_now())
    paused = [f"{name} is {state}" for name, state in states.items() if state != "ok"]
    if paused:
        return "; ".join(paused)
    return "its time" if row.due_at > utc_now() else "a free sender"


def _state_now(email_id: str) -> str:
    db.session.rollback()
    return _find(email_id).state
