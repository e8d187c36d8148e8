"""Every email as files, to be opened in real clients."""

from pathlib import Path

import click

from cli.group import email_commands
from emails import all_emails
from extensions import email
from message import to_mime


@email_commands.command("export")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def export(directory: Path) -> None:
    """Write every email with every sample to DIRECTORY as .html, .txt and .eml."""
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    for kind in all_emails().values():
        for sample, fields in kind.samples.items():
            message = email.complete(kind.compose(**fields))
            path = directory / f"{kind.name}--{sample.replace(' ', '-')}"
            path.with_suffix(".html").write_text(message.html, encoding="utf-8")
            path.with_suffix(".txt").write_text(message.text, encoding="utf-8")
            path.with_suffix(".eml").write_bytes(to_mime(message).as_bytes())
            count += 1
    click.echo(f"{count} emails written to {directory}")
