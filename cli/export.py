"""Every email as files, to be opened in real clients."""

from email.message import EmailMessage as MimeMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import click

from cli.group import email_commands
from emails.compose import all_emails
from extensions import email as email_service
from message import Address, EmailMessage
from models import utc_now


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
            path.with_suffix(".eml").write_bytes(_mime(message).as_bytes())
            count += 1
    click.echo(f"{count} emails written to {directory}")


def _mime(message: EmailMessage) -> MimeMessage:
    mime = MimeMessage()
    sender = message.from_email or Address("noreply@example.com")
    mime["Date"] = format_datetime(utc_now())
    mime["Message-ID"] = make_msgid(domain=sender.email.partition("@")[2])
    mime["From"] = str(sender)
    mime["To"] = ", ".join(str(address) for address in message.to)
    if message.reply_to:
        mime["Reply-To"] = ", ".join(str(address) for address in message.reply_to)
    mime["Subject"] = message.subject
    mime.set_content(message.text)
    mime.add_alternative(message.html, subtype="html")
    return mime
