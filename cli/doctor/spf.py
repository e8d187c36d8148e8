"""SPF as receivers evaluate it (RFC 7208), without asking who sends."""

import ipaddress
import re

from attrs import frozen

from cli.doctor.resolver import Resolver

MAX_LOOKUPS = 10  # terms that make a receiver ask DNS, those of included records counted too
MAX_VOID = 2  # lookups of them that may find nothing
MAX_MX = 10  # mail servers of one `mx`

_RECORD = re.compile(r"v=spf1( |$)", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(\S*)", re.IGNORECASE)
_MECHANISM = re.compile(r"([+?~-]?)([a-z0-9]+)(?::([^/\s]+))?((?:/\d{1,3})?(?://\d{1,3})?)", re.I)
_NEEDS_VALUE = ("include", "exists", "ip4", "ip6")


@frozen
class SpfError(Exception):
    """Why receivers cannot use a record, or why it protects nothing."""

    problem: str
    remedy: str


@frozen
class _Mechanism:
    qualifier: str
    name: str
    value: str
    prefix: str


def spf_records(resolver: Resolver, domain: str) -> list[str]:
    """The SPF records among the TXT records of `domain`; more than one is as bad as a wrong one."""
    return [text for text in resolver.texts(domain) if _RECORD.match(text)]


def find_error(resolver: Resolver, domain: str, records: list[str]) -> SpfError | None:
    """What is wrong with the SPF `records` of `domain`, of which there is at least one.

    Raises `DnsError` if a record that they include cannot be looked up.
    """
    if len(records) > 1:
        return SpfError(
            f"{domain} has {len(records)} SPF records; receivers use none of them (permerror)",
            "merge them into one TXT record that begins with v=spf1 and holds the terms of both",
        )
    try:
        open_to_all = _Evaluation(resolver).follow(domain, records[0])
    except SpfError as error:
        return error
    if open_to_all:
        return SpfError(
            f"the SPF record of {domain} lets everybody send in its name: {records[0]}",
            "end it with ~all or -all in place of +all, and let no term cover every address",
        )
    return None


class _Evaluation:
    """One evaluation: the record of a domain and those it includes, under common limits."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lookups = 0
        self._void = 0

    def follow(self, domain: str, record: str) -> bool:
        """Whether the record lets everybody pass. Raises `SpfError` for a permanent error."""
        open_to_all, redirect = False, ""
        for term in record.split()[1:]:
            modifier = _MODIFIER.fullmatch(term)
            if modifier:
                redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
                continue
            mechanism = _parse(domain, term)
            everybody = self._matches_everybody(domain, mechanism)
            open_to_all |= everybody and mechanism.qualifier in ("", "+")
            if mechanism.name == "all":  # what follows is never looked at
                return open_to_all
        if redirect:
            self._count(domain)
            open_to_all |= self._included(domain, redirect)
        return open_to_all

    def _matches_everybody(self, domain: str, mechanism: _Mechanism) -> bool:
        name, value = mechanism.name, mechanism.value
        if name == "all":
            return True
        if name in ("ip4", "ip6"):
            return mechanism.prefix == "/0"
        self._count(domain)
        if "%" in value:  # a macro: it depends on who sends
            return False
        if name == "include":
            return self._included(domain, value)
        if name == "a":
            self._expect(domain, any(self._ask(value or domain, kind) for kind in ("A", "AAAA")))
        elif name == "mx":
            hosts = self._ask(value or domain, "MX")
            self._expect(domain, bool(hosts))
            if len(hosts) > MAX_MX:
                raise _permanent(domain, f"its mx names more than {MAX_MX} mail servers")
        return False

    def _included(self, domain: str, name: str) -> bool:
        if "%" in name:
            return False
        records = spf_records(self._resolver, name)
        if len(records) != 1:
            raise _permanent(domain, f"it includes {name}, which has {len(records)} SPF records")
        return self.follow(name, records[0])

    def _ask(self, name: str, kind: str) -> tuple[str, ...]:
        return self._resolver.ask(name, kind).values

    def _count(self, domain: str) -> None:
        self._lookups += 1
        if self._lookups > MAX_LOOKUPS:
            raise _permanent(domain, f"it makes receivers ask DNS more than {MAX_LOOKUPS} times")

    def _expect(self, domain: str, found: bool) -> None:
        self._void += not found
        if self._void > MAX_VOID:
            raise _permanent(domain, f"more than {MAX_VOID} of its lookups find nothing")


def _parse(domain: str, term: str) -> _Mechanism:
    match = _MECHANISM.fullmatch(term)
    if match is None or not _is_valid(match):
        raise _permanent(domain, f"{term!r} in it is no SPF term")
    return _Mechanism(match[1], match[2].lower(), match[3] or "", match[4])


def _is_valid(match: re.Match[str]) -> bool:
    name, value, prefix = match[2].lower(), match[3] or "", match[4]
    if name in ("ip4", "ip6"):
        return _is_network(f"{value}{prefix}", version=int(name[-1]))
    if name in ("all", "include", "exists", "ptr") and prefix:
        return False
    if name == "all":
        return not value
    return bool(value) if name in ("include", "exists") else name in ("a", "mx", "ptr")


def _is_network(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_network(text, strict=False).version == version
    except ValueError:
        return False


def _permanent(domain: str, reason: str) -> SpfError:
    return SpfError(
        f"the SPF record of {domain} is a permanent error for receivers: {reason}",
        f"correct the TXT record of {domain}; leave out what no longer sends for you",
    )
