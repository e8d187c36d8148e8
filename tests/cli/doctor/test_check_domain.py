"""`flask email check-domain` as a person types it, against a name server on loopback."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from cli.doctor.commands import NameServer as NameServerType
from tests.cli.doctor.clinic import DOMAIN, good_zone
from tests.cli.doctor.keys import RSA
from tests.cli.doctor.name_server import NameServer, text
from tests.conftest import MakeApp

Check = Callable[..., dict[str, dict[str, str]]]


@pytest.fixture
def names() -> Iterator[NameServer]:
    """The zone of a domain with which nothing is wrong."""
    with NameServer(good_zone()) as names:
        yield names


@pytest.fixture
def check(make_app: MakeApp, names: NameServer) -> Check:
    """`check("--provider", "resend")`: the checks of the domain, by name."""

    def run(*args: str, domain: str = DOMAIN, **settings: Any) -> dict[str, dict[str, str]]:
        command = ["email", "check-domain", domain, "--nameserver", names.address, "--json", *args]
        result = make_app(**settings).test_cli_runner().invoke(args=command)
        answer = json.loads(result.stdout)
        assert answer["well"] is (result.exit_code == 0)
        return {each["name"]: each for each in answer["checks"]}

    return run


def problems(checks: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, each in checks.items() if each["verdict"] == "problem"]


@pytest.mark.parametrize("provider", ["resend", "sendgrid", "sequenzy"])
def test_a_good_domain_is_well_at_each_provider(check: Check, provider: str):
    checks = check("--provider", provider)
    assert problems(checks) == []
    assert list(checks) == ["domain", "spf", f"{provider}-spf", f"{provider}-dkim", "dmarc"]


def test_before_a_provider_is_chosen_a_key_of_any_will_do(check: Check, names: NameServer):
    checks = check()
    assert list(checks) == ["domain", "spf", "dkim", "dmarc"]
    assert problems(checks) == []
    names.zone = {key: value for key, value in names.zone.items() if "_domainkey" not in key[0]}
    assert problems(check()) == ["dkim"]


def test_the_providers_in_use_are_looked_for_unless_others_are_named(check: Check):
    settings = {"EMAIL_PROVIDER": "sendgrid,resend", "SENDGRID_API_KEY": "k", "RESEND_API_KEY": "k"}
    assert {"sendgrid-dkim", "resend-dkim"} <= set(check(**settings))
    assert "resend-dkim" not in check("--provider", "sequenzy", **settings)


def test_a_selector_and_a_return_path_of_ones_own_are_looked_at(check: Check, names: NameServer):
    names.zone[f"mine._domainkey.{DOMAIN}", "TXT"] = [text(f"p={RSA}")]
    names.zone[f"em77.{DOMAIN}", "CNAME"] = ["u7.wl.sendgrid.net."]
    names.zone["u7.wl.sendgrid.net", "TXT"] = [text("v=spf1 ip4:192.0.2.1 -all")]
    own = ["--selector", "mine", "--return-path", "em77", "--provider", "sendgrid"]
    checks = check(*own)
    assert checks["sendgrid-dkim"]["words"] == f"mine._domainkey.{DOMAIN}"
    assert checks["sendgrid-spf"]["words"].startswith(f"em77.{DOMAIN}: v=spf1")
    assert checks == check(*own[:3], f"em77.{DOMAIN}", *own[4:])
    assert problems(check("--selector", "none", "--provider", "sequenzy")) == ["sequenzy-dkim"]


def test_names_that_only_the_dashboard_knows_are_no_problem(check: Check, names: NameServer):
    del names.zone[f"sequenzy._domainkey.{DOMAIN}", "TXT"]
    del names.zone[f"rp.{DOMAIN}", "TXT"]
    checks = check("--provider", "sequenzy")
    assert problems(checks) == []
    assert [checks[f"sequenzy-{name}"]["verdict"] for name in ("spf", "dkim")] == ["hint", "hint"]
    assert "--selector" in checks["sequenzy-dkim"]["remedy"]


def test_a_policy_of_none_is_a_hint(check: Check, names: NameServer):
    names.zone[f"_dmarc.{DOMAIN}", "TXT"] = [text("v=DMARC1; p=none")]
    assert check()["dmarc"]["verdict"] == "hint"


def test_a_domain_that_is_not_there_is_one_problem(check: Check):
    assert problems(check(domain="nowhere.acme-lettres.com")) == ["domain"]


def test_an_international_domain_is_asked_for_in_ascii(check: Check, names: NameServer):
    check(domain="Bücher.de")
    assert names.asked == [("xn--bcher-kva.de", "SOA")]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere"], "'nowhere' is no domain of email addresses"),
        (["ann@acme.com"], "is no domain of email addresses"),
        (["acme.com", "--nameserver", "dns.acme.com"], "no IP address"),
        (["acme.com", "--nameserver", "127.0.0.1:x"], "no IP address"),
        (["acme.com", "--nameserver", "127.0.0.1:70000"], "no IP address"),
        (["acme.com", "--provider", "inbox"], "is not one of"),
    ],
)
def test_a_wrong_argument_is_explained(app: Flask, args: list[str], words: str):
    result = app.test_cli_runner().invoke(args=["email", "check-domain", *args])
    assert (result.exit_code, words in result.output) == (2, True), result.output


@pytest.mark.parametrize(
    ("typed", "server"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("2620:fe::fe", ("2620:fe::fe", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_name_server_may_have_a_port(typed: str, server: tuple[str, int]):
    assert NameServerType().convert(typed, None, None) == server
