"""`flask email doctor` and `check-domain`: what is wrong with the settings, and what to do."""

import ipaddress
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import click
from flask import current_app

from cli.group import email_commands
from errors import InvalidMessage
from message import Address
from providers import PROVIDERS

if TYPE_CHECKING:
    from cli.doctor.checks import Check
    from cli.doctor.domain import DnsQuestions


class NameServer(click.ParamType[tuple[str, int]]):
    """An IP address, with a port behind it if it is not 53: 9.9.9.9, 127.0.0.1:5353, [::1]:53."""

    name = "IP[:PORT]"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, int]:
        host, colon, port = value.rpartition(":")
        if not colon or (":" in host.strip("[]") and not host.endswith("]")):
            host, port = value, "53"
        try:
            if not 0 < int(port) < 65536:
                raise ValueError
            return str(ipaddress.ip_address(host.strip("[]"))), int(port)
        except ValueError:
            self.fail(f"{value!r} is no IP address with or without a port", param, ctx)


def dns_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say whom to ask, and for which names."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For programs."),
        click.option("--return-path", help="Label of the return path, such as send or em1234."),
        click.option("--selector", "selectors", multiple=True, help="Of DKIM; may be repeated."),
        click.option("--nameserver", type=NameServer(), help="Ask this server in place of yours."),
    ):
        command = option(command)
    return command


@email_commands.command("doctor")
@dns_options
def doctor_command(as_json: bool, **options: Any) -> None:
    """Check every setting and connection; exit code 1 if there is a problem.

    It sends no email. Each webhook gets one event of a type that means nothing.
    """
    # Only here, as below: what DNS takes costs 0.1 s to import.
    from cli.doctor.examination import examine

    _report(examine(current_app.config, _questions(**options)), as_json)


@email_commands.command("check-domain")
@click.argument("domain")
@click.option(
    "--provider",
    "providers",
    type=click.Choice([name for name, each in PROVIDERS.items() if each.delivers]),
    multiple=True,
    help="Whose records to look for; those of EMAIL_PROVIDER by default. May be repeated.",
)
@dns_options
def check_domain_command(
    domain: str, providers: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Look up SPF, DKIM and DMARC of DOMAIN; exit code 1 if there is a problem."""
    from cli.doctor.domain import check_domain

    try:
        ascii_domain = Address.parse(f"postmaster@{domain}").email.rpartition("@")[2]
    except InvalidMessage:
        raise click.BadParameter(f"{domain!r} is no domain of email addresses") from None
    chain = [name for name in current_app.config["EMAIL_PROVIDER"] if PROVIDERS[name].delivers]
    _report(check_domain(ascii_domain, providers or chain, _questions(**options)), as_json)


def _questions(
    nameserver: tuple[str, int] | None, selectors: tuple[str, ...], return_path: str | None
) -> "DnsQuestions":
    from cli.doctor.domain import DnsQuestions

    host, port = nameserver or (None, 53)
    return DnsQuestions(nameserver=host, port=port, selectors=selectors, return_path=return_path)


def _report(checks: "list[Check]", as_json: bool) -> None:
    from cli.doctor.checks import problems

    found = problems(checks)
    if as_json:
        lines = [attrs.asdict(check) for check in checks]
        click.echo(json.dumps({"well": not found, "checks": lines}, indent=2))
    else:
        for check in checks:
            click.echo(f"{check.verdict:<8} {check.name:<18} {check.words}".rstrip())
            if check.remedy:
                click.echo(f"{'':<8} {'':<18} -> {check.remedy}")
        count = len(found)
        click.echo(f"\n{count or 'no'} problem{'' if count == 1 else 's'}")
    if found:
        raise click.exceptions.Exit(1)
