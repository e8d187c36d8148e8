"""Questions to DNS, each asked once. What does not exist is an empty answer, no error."""

from functools import cache

import dns.exception
import dns.name
import dns.resolver
from attrs import frozen

PATIENCE = 4.0  # seconds for one question, its repeats included


class DnsError(Exception):
    """DNS gave no answer, so that nothing is known. The message says of which name, and why."""


@frozen
class DnsAnswer:
    """`values` as text; `exists` is false for NXDOMAIN; `alias` is where a CNAME leads, if any."""

    values: tuple[str, ...]
    exists: bool
    alias: str | None


class Resolver:
    """Asks the machine's name servers, or the one at `nameserver` (an address) and `port`."""

    def __init__(self, nameserver: str | None = None, port: int = 53) -> None:
        try:
            self._dns = dns.resolver.Resolver(configure=nameserver is None)
        except dns.exception.DNSException as error:
            raise DnsError(f"this machine has no name server: {error}") from error
        if nameserver is not None:
            self._dns.nameservers = [nameserver]
            self._dns.port = port
        self._dns.lifetime = PATIENCE
        self.ask = cache(self._ask)  # of this resolver alone

    def texts(self, name: str) -> tuple[str, ...]:
        """The TXT records at `name`, each with its parts joined."""
        return self.ask(name, "TXT").values

    def _ask(self, name: str, kind: str) -> DnsAnswer:
        """Raises `DnsError` if there is no answer."""
        try:
            asked = dns.name.from_text(name)
        except dns.exception.DNSException:  # such a name cannot exist
            return DnsAnswer((), False, None)
        try:
            found = self._dns.resolve(asked, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN as error:
            return DnsAnswer((), False, _other(error.canonical_name, asked))
        except dns.resolver.LifetimeTimeout as error:
            raise DnsError(f"no name server answered within {PATIENCE:g} s ({name})") from error
        except dns.resolver.NoNameservers as error:
            raise DnsError(f"the name servers fail over {name}: {_reasons(error)}") from error
        except (dns.exception.DNSException, OSError) as error:
            raise DnsError(f"{name} could not be asked for: {error}") from error
        alias = _other(found.canonical_name, asked)
        return DnsAnswer(tuple(_text(each) for each in found), True, alias)


def _reasons(error: dns.resolver.NoNameservers) -> str:
    return "; ".join(dict.fromkeys(str(tried[-2]) for tried in error.kwargs.get("errors", [])))


def _other(found: dns.name.Name | None, asked: dns.name.Name) -> str | None:
    return found.to_text(omit_final_dot=True) if found and found != asked else None


def _text(record: object) -> str:
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode("utf-8", "replace") if strings is not None else str(record)
