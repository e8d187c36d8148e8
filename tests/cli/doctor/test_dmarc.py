"""DMARC policies: which record holds for a domain, and which cannot be used."""

import pytest

from cli.doctor.dmarc import Policy, find_policy
from cli.doctor.resolver import Resolver
from tests.cli.doctor.name_server import NameServer, text

ORG = "acme.example"
SUB = "mail.acme.example"


def publish(names: NameServer, **records: str) -> None:
    """Records by domain, with `_` for the dots."""
    for domain, record in records.items():
        names.zone[f"_dmarc.{domain.replace('_', '.')}", "TXT"] = [text(record)]


def found(resolver: Resolver, domain: str) -> tuple[str, str] | None:
    policy = find_policy(resolver, domain)
    return (policy.name, policy.policy) if policy else None


def test_the_domains_own_policy_holds(names: NameServer, resolver: Resolver):
    publish(names, mail_acme_example="v=DMARC1; p=quarantine", acme_example="v=DMARC1; p=reject")
    assert found(resolver, SUB) == (f"_dmarc.{SUB}", "quarantine")


def test_else_that_of_the_organization_holds(names: NameServer, resolver: Resolver):
    publish(names, acme_example="v=DMARC1; p=reject")
    assert found(resolver, SUB) == (f"_dmarc.{ORG}", "reject")
    assert found(resolver, f"a.b.{SUB}") == (f"_dmarc.{ORG}", "reject")


def test_a_policy_for_subdomains_goes_first(names: NameServer, resolver: Resolver):
    publish(names, acme_example="v=DMARC1; p=reject; sp=none")
    assert found(resolver, SUB) == (f"_dmarc.{ORG}", "none")
    assert found(resolver, ORG) == (f"_dmarc.{ORG}", "reject")


def test_the_highest_parent_is_the_organization(names: NameServer, resolver: Resolver):
    publish(names, mail_acme_example="v=DMARC1; p=none", acme_example="v=DMARC1; p=reject")
    assert found(resolver, f"a.{SUB}") == (f"_dmarc.{ORG}", "reject")


def test_psd_n_ends_the_walk_early(names: NameServer, resolver: Resolver):
    publish(names, mail_acme_example="v=DMARC1; p=none; psd=n", acme_example="v=DMARC1; p=reject")
    assert found(resolver, f"a.{SUB}") == (f"_dmarc.{SUB}", "none")


def test_the_policy_of_a_registry_is_for_those_who_have_none(names: NameServer, resolver: Resolver):
    publish(names, example="v=DMARC1; p=reject; psd=y")
    assert found(resolver, SUB) == ("_dmarc.example", "reject")
    publish(names, acme_example="v=DMARC1; p=quarantine")
    fresh = Resolver(*_address(names))
    assert found(fresh, SUB) == (f"_dmarc.{ORG}", "quarantine")


def _address(names: NameServer) -> tuple[str, int]:
    host, port = names.server_address[:2]
    return str(host), int(port)


def test_a_long_name_costs_few_questions(names: NameServer, resolver: Resolver):
    domain = ".".join("abcdefghijklmnopqrst") + ".acme.example"
    assert find_policy(resolver, domain) is None
    assert len(names.asked) == 8
    assert names.asked[1] == ("_dmarc.p.q.r.s.t.acme.example", "TXT")


@pytest.mark.parametrize(
    ("record", "policy"),
    [
        ("v=DMARC1; p=none", "none"),
        ("v=DMARC1;p=REJECT;", "reject"),
        ("v=DMARC1 ; p = quarantine ; rua=mailto:d@acme.example", "quarantine"),
        ("v=DMARC1; rua=mailto:d@acme.example", "none"),
    ],
)
def test_a_valid_record_is_read(names: NameServer, resolver: Resolver, record: str, policy: str):
    publish(names, acme_example=record)
    assert find_policy(resolver, ORG) == Policy(f"_dmarc.{ORG}", policy)


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1",
        "v=DMARC1; p=",
        "v=DMARC1; p=block",
        "v=DMARC1 p=none",
        "v=dmarc1; p=none",
        "v=DMARC10; p=none",
        "'v=DMARC1; p=none'",
        "DMARC1; p=none",
    ],
)
def test_a_malformed_record_has_an_error(names: NameServer, resolver: Resolver, record: str):
    publish(names, acme_example=record)
    policy = find_policy(resolver, ORG)
    assert policy
    assert policy.error


def test_two_records_are_an_error_and_other_texts_are_none(names: NameServer, resolver: Resolver):
    names.zone[f"_dmarc.{ORG}", "TXT"] = [text("v=DMARC1; p=none"), text("v=DMARC1; p=reject")]
    names.zone[f"_dmarc.{SUB}", "TXT"] = [text("v=spf1 -all"), text("from a wildcard")]
    policy = find_policy(resolver, SUB)
    assert policy
    assert "2 DMARC records" in (policy.error or "")


def test_no_record_anywhere_is_no_policy(names: NameServer, resolver: Resolver):
    assert find_policy(resolver, SUB) is None
