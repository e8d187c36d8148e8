"""What DNS says about a sender's domain: SPF, DKIM and DMARC, each in its own line."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from cli.doctor.checks import Check, hint, ok, problem, skipped
from cli.doctor.dkim import find_key
from cli.doctor.dmarc import find_policy
from cli.doctor.leftovers import sends
from cli.doctor.resolver import DnsError, Resolver
from cli.doctor.spf import find_error, spf_records
from providers import PROVIDERS, SenderRecords

# Nobody sends from these: RFC 2606, and the sample in FROM_EMAIL.
SAMPLES = ("example.com", "example.net", "example.org", "example", "invalid", "yourdomain.com")


@frozen(kw_only=True)
class DnsQuestions:
    """Whom to ask (`nameserver`, an address, and `port`), and for which names.

    `selectors` and `return_path`, a label below the domain, take the place of the provider's.
    """

    nameserver: str | None = None
    port: int = 53
    selectors: tuple[str, ...] = ()
    return_path: str | None = None


def check_sender(settings: Mapping[str, Any], questions: DnsQuestions) -> list[Check]:
    """The domain of FROM_EMAIL, for the providers of EMAIL_PROVIDER."""
    sender = settings["FROM_EMAIL"]
    domain = sender.domain
    if not sends(settings):
        return [skipped("domain", f"no email leaves the machine; check-domain looks at {domain}")]
    if sender.is_local or f".{domain}".endswith(tuple(f".{each}" for each in SAMPLES)):
        return [
            problem(
                "domain",
                f"FROM_EMAIL is at {domain}, which is nobody's to send from",
                "set FROM_EMAIL to an address at a domain that the provider has verified",
            )
        ]
    return check_domain(domain, settings["EMAIL_PROVIDER"], questions)


def check_domain(domain: str, providers: Sequence[str], questions: DnsQuestions) -> list[Check]:
    """One line for the domain itself, and those of its SPF, DKIM and DMARC.

    Without `providers` a key of any provider will do, and no return path is known. If DNS does not
    answer, that is the last line.
    """
    checks: list[Check] = []
    try:
        checks.extend(_checks(domain, providers, questions))
    except DnsError as error:
        remedy = "check the network, or ask another server (--nameserver)"
        checks.append(problem("dns", str(error), remedy))
    return checks


def _checks(domain: str, providers: Sequence[str], questions: DnsQuestions) -> Iterator[Check]:
    resolver = Resolver(questions.nameserver, questions.port)
    if not resolver.ask(domain, "SOA").exists:
        yield problem(
            "domain",
            f"{domain} does not exist in DNS; receivers refuse mail from it",
            "correct FROM_EMAIL, or register the domain and give it name servers",
        )
        return
    yield ok("domain", domain)
    yield _check_spf("spf", resolver, domain)
    for name, records in _records_of(providers, questions).items():
        prefix = f"{name}-" if name else ""
        if name:
            yield _check_return_path(f"{prefix}spf", name, records, resolver, domain)
        yield _check_dkim(f"{prefix}dkim", records, resolver, domain)
    yield _check_dmarc(resolver, domain)


def _records_of(providers: Sequence[str], questions: DnsQuestions) -> dict[str, SenderRecords]:
    """What to look for, by provider; under "" if nobody said which it is."""
    known = {
        name: records
        for name, provider in PROVIDERS.items()
        if (records := provider.sender_records) and (name in providers or not providers)
    }
    if not providers:
        each = [selector for records in known.values() for selector in records.selectors]
        known = {"": SenderRecords(selectors=tuple(each))}
    return {
        name: SenderRecords(
            selectors=questions.selectors or records.selectors,
            return_path=questions.return_path or records.return_path,
            always=records.always or bool(questions.selectors),
        )
        for name, records in known.items()
    }


def _check_spf(line: str, resolver: Resolver, domain: str) -> Check:
    records = spf_records(resolver, domain)
    if not records:
        text = f"none at {domain}, and none is needed: receivers look at the return path's"
        return ok(line, text)
    error = find_error(resolver, domain, records)
    if error:
        return problem(line, error.problem, error.remedy)
    return ok(line, f"{domain}: {records[0]}")


def _check_return_path(
    line: str, provider: str, wanted: SenderRecords, resolver: Resolver, domain: str
) -> Check:
    if wanted.return_path is None:
        return skipped(
            line, f"the return path is your account's own at {provider}: name it (--return-path)"
        )
    label = wanted.return_path.removesuffix(f".{domain}")
    name = f"{label}.{domain}"
    records = spf_records(resolver, name)
    if records:
        return _check_spf(line, resolver, name)
    text = f"{name}, the return path of {provider}, has no SPF record"
    remedy = (
        f"publish what {provider} shows for it, or name your own return path (--return-path); "
        "`flask email check-domain` looks again"
    )
    return problem(line, text, remedy) if wanted.always else hint(line, text, remedy)


def _check_dkim(line: str, wanted: SenderRecords, resolver: Resolver, domain: str) -> Check:
    keys = [find_key(resolver, domain, selector) for selector in wanted.selectors]
    for key in keys:
        if key.error:
            return problem(
                line, f"{key.name}: {key.error}", "publish the record anew as the provider shows it"
            )
    published = [key.name for key in keys if key.published]
    if published:
        return ok(line, ", ".join(published))
    text = f"no DKIM key at {', '.join(key.name for key in keys)}"
    remedy = "publish the records that the provider shows, or name their selector (--selector)"
    return problem(line, text, remedy) if wanted.always else hint(line, text, remedy)


def _check_dmarc(resolver: Resolver, domain: str) -> Check:
    found = find_policy(resolver, domain)
    if found is None:
        return problem(
            "dmarc",
            f"neither {domain} nor a domain above it has a DMARC policy; large receivers want one",
            f'publish a TXT record at _dmarc.{domain}, to begin with "v=DMARC1; p=none"',
        )
    if found.error:
        return problem("dmarc", found.error, 'let it be one record such as "v=DMARC1; p=none"')
    if found.policy == "none":
        return hint(
            "dmarc",
            f"{found.name} says p=none: forged mail in this name is delivered as well",
            "go on to p=quarantine or p=reject once the reports show that your own mail passes",
        )
    return ok("dmarc", f"{found.name}: p={found.policy}")
