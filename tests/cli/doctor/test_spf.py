"""SPF records as receivers see them: what is in force, what is an error, and what lets all pass."""

import pytest

from cli.doctor.resolver import DnsError, Resolver
from cli.doctor.spf import find_error, spf_records
from tests.cli.doctor.name_server import NameServer, Zone, text

DOMAIN = "acme.example"


def spf_error(resolver: Resolver, domain: str = DOMAIN) -> str | None:
    found = find_error(resolver, domain, spf_records(resolver, domain))
    return found.problem if found else None


def publish(names: NameServer, *records: str, domain: str = DOMAIN) -> None:
    names.zone[domain, "TXT"] = [text(record) for record in records]


def chain(length: int, end: str) -> Zone:
    """`s1.example` includes `s2.example`, and so on; the last has the record `end`."""
    records = {f"s{n}.example": f"v=spf1 include:s{n + 1}.example ?all" for n in range(1, length)}
    return {
        (name, "TXT"): [text(record)]
        for name, record in (records | {f"s{length}.example": end}).items()
    }


GOOD = [
    "v=spf1",
    "V=SPF1 -ALL",
    "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all",
    "v=spf1 a mx a:www.acme.example/28 mx:acme.example//64 a/24//96 ptr ~all",
    "v=spf1 exists:%{i}.spf.acme.example include:%{d}.acme.example ?all",
    "v=spf1 redirect=other.example unknown=fine exp=why.acme.example",
    "v=spf1 include:other.example -all include:nothing.example",
    "v=spf1 ?ip4:0.0.0.0/0 -include:everybody.example ~all",
]
SYNTAX = [
    "v=spf1 ip4:192.0.2.999 -all",
    "v=spf1 ip4:2001:db8::1 -all",
    "v=spf1 ip6:192.0.2.1 -all",
    "v=spf1 ip4: -all",
    "v=spf1 include -all",
    "v=spf1 include:a.example/24 -all",
    "v=spf1 all:acme.example",
    "v=spf1 ipv4:192.0.2.1 -all",
    "v=spf1 ip4:192.0.2.1; -all",
    "v=spf1 192.0.2.1 -all",
]
OPEN = [
    "v=spf1 +all",
    "v=spf1 all",
    "v=spf1 ip4:192.0.2.1 ip4:0.0.0.0/0 -all",
    "v=spf1 ip6:::/0 -all",
    "v=spf1 include:everybody.example -all",
    "v=spf1 redirect=everybody.example",
]


@pytest.fixture
def world(names: NameServer) -> NameServer:
    """The names that the records below lead to."""
    names.zone |= {
        (DOMAIN, "A"): ["192.0.2.1"],
        (DOMAIN, "MX"): ["10 mail.acme.example."],
        ("www.acme.example", "AAAA"): ["2001:db8::1"],
        ("other.example", "TXT"): [text("v=spf1 ip4:198.51.100.1 -all")],
        ("everybody.example", "TXT"): [text("v=spf1 +all")],
    }
    return names


@pytest.mark.parametrize("record", GOOD)
def test_a_good_record_has_no_error(world: NameServer, resolver: Resolver, record: str):
    publish(world, record, "another text record")
    assert spf_error(resolver) is None


@pytest.mark.parametrize("record", SYNTAX)
def test_a_term_that_is_none_is_named(world: NameServer, resolver: Resolver, record: str):
    publish(world, record)
    assert "is no SPF term" in (spf_error(resolver) or "")


@pytest.mark.parametrize("record", OPEN)
def test_a_record_that_lets_everybody_pass_is_seen(
    world: NameServer, resolver: Resolver, record: str
):
    publish(world, record)
    assert "lets everybody send" in (spf_error(resolver) or "")


def test_only_texts_that_begin_with_the_version_are_records(names: NameServer, resolver: Resolver):
    publish(names, "v=spf10 -all", "spf1", "v=spf1x", " v=spf1 -all")
    assert spf_records(resolver, DOMAIN) == []
    assert spf_records(resolver, "nobody.example") == []


def test_two_records_count_as_none(world: NameServer, resolver: Resolver):
    publish(world, "v=spf1 -all", "v=spf1 mx ~all")
    assert "2 SPF records" in (spf_error(resolver) or "")


def test_a_record_of_several_strings_is_joined_without_a_space(
    names: NameServer, resolver: Resolver
):
    names.zone[DOMAIN, "TXT"] = ['"v=spf1 ip4:192.0." "2.1 -all"']
    assert spf_records(resolver, DOMAIN) == ["v=spf1 ip4:192.0.2.1 -all"]


@pytest.mark.parametrize(("length", "good"), [(10, True), (11, False)])
def test_ten_lookups_are_the_limit_over_all_included_records(
    names: NameServer, resolver: Resolver, length: int, good: bool
):
    names.zone |= chain(length, "v=spf1 ip4:192.0.2.1 -all")
    publish(names, "v=spf1 include:s1.example -all")
    assert (spf_error(resolver) is None) is good


def test_records_that_include_each_other_end_at_the_limit(names: NameServer, resolver: Resolver):
    names.zone |= chain(1, "v=spf1 include:acme.example -all")
    publish(names, "v=spf1 include:s1.example -all")
    assert "more than 10 times" in (spf_error(resolver) or "")


@pytest.mark.parametrize("included", ["nothing.example", "two.example"])
def test_an_included_domain_without_one_record_is_a_permanent_error(
    names: NameServer, resolver: Resolver, included: str
):
    publish(names, "v=spf1 -all", "v=spf1 ~all", domain="two.example")
    publish(names, f"v=spf1 include:{included} -all")
    assert f"it includes {included}" in (spf_error(resolver) or "")


@pytest.mark.parametrize(
    ("terms", "good"), [("a:x.example mx:y.example", True), ("a mx a:x", False)]
)
def test_two_lookups_may_find_nothing_and_no_third(
    names: NameServer, resolver: Resolver, terms: str, good: bool
):
    publish(names, f"v=spf1 {terms} -all")
    assert (spf_error(resolver) is None) is good


def test_more_than_ten_mail_servers_are_too_many(names: NameServer, resolver: Resolver):
    names.zone[DOMAIN, "MX"] = [f"10 m{number}.acme.example." for number in range(11)]
    publish(names, "v=spf1 mx -all")
    assert "more than 10 mail servers" in (spf_error(resolver) or "")


def test_a_name_server_that_fails_is_no_error(names: NameServer, resolver: Resolver):
    publish(names, "v=spf1 include:other.example -all")
    names.failing.add("other.example")
    with pytest.raises(DnsError, match=r"fail over other\.example: SERVFAIL"):
        spf_error(resolver)


def test_each_question_is_asked_once(names: NameServer, resolver: Resolver):
    publish(names, "v=spf1 -all")
    assert (spf_error(resolver), spf_error(resolver)) == (None, None)
    assert names.asked == [(DOMAIN, "TXT")]
