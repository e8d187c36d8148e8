"""Who may be called now, and whether marketing goes out."""

import click

import outbox
from cli.group import email_commands
from database import db, now, utc_now
from extensions import email
from outbox import Lane


@email_commands.command("providers")
@click.option(
    "--resume-marketing",
    is_flag=True,
    help="Let marketing go out again that paused by itself. It counts anew from now on.",
)
def providers(resume_marketing: bool) -> None:
    """Show which providers may be called now, and why not; and whether marketing goes out."""
    session = db.session()
    if resume_marketing:
        if not outbox.lanes.resume(session, Lane.MARKETING, now(session)):
            raise click.ClickException("marketing is not paused")
        session.commit()
    statuses = outbox.breaker.call_statuses(session, email.chain, utc_now())
    for name, status in statuses.items():
        click.echo(f"{name:<10} {status}")
    click.echo(f"{'marketing':<10} {outbox.lanes.paused(session).get(Lane.MARKETING, 'ok')}")
