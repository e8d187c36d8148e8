"""DKIM keys: there, in force, and of a kind and size that receivers take."""

import pytest

from cli.doctor.dkim import Key, find_key
from cli.doctor.resolver import Resolver
from tests.cli.doctor.keys import ED25519, P256, RSA, rsa_key
from tests.cli.doctor.name_server import NameServer, text

NAME = "s1._domainkey.acme.example"


def find(resolver: Resolver) -> Key:
    return find_key(resolver, "acme.example", "s1")


GOOD = [
    f"v=DKIM1; k=rsa; p={RSA}",
    f"p={RSA}",
    f" k=rsa ; t=s ; p = {RSA[:64]} {RSA[64:]} ; ",
    f"v=DKIM1; h=sha256; p={rsa_key(1024)}",
    f"v=DKIM1; k=ed25519; p={ED25519}",
]
BAD = {
    "v=DKIM1; p=": "revoked",
    f"v=DKIM2; p={RSA}": "begins with v=DKIM2",
    f"v=DKIM1; p={RSA[:101]}": "no base64",
    f"v=DKIM1; p={RSA[:100]}": "no RSA key",
    f"v=DKIM1; p={P256}": "no RSA key",
    f"v=DKIM1; p={rsa_key(768)}": "768 bits",
    f"v=DKIM1; k=dsa; p={RSA}": "k=dsa is no kind",
    f"v=DKIM1; k=ed25519; p={RSA}": "an Ed25519 key has 32",
    "v=DKIM1; k=rsa": "holds no p=",
}


@pytest.mark.parametrize("record", GOOD)
def test_a_good_key_has_no_error(names: NameServer, resolver: Resolver, record: str):
    names.zone[NAME, "TXT"] = [text(record)]
    assert find(resolver) == Key(NAME, True)


@pytest.mark.parametrize("record", BAD)
def test_a_key_that_receivers_cannot_use_says_why(
    names: NameServer, resolver: Resolver, record: str
):
    names.zone[NAME, "TXT"] = [text(record)]
    assert BAD[record] in (find(resolver).error or "")


def test_a_key_behind_an_alias_counts(names: NameServer, resolver: Resolver):
    names.zone[NAME, "CNAME"] = ["key.vendor.example."]
    names.zone["key.vendor.example", "TXT"] = [text(f"p={RSA}")]
    assert find(resolver) == Key(NAME, True)


@pytest.mark.parametrize("target", ["key.vendor.example", "host.vendor.example"])
def test_an_alias_to_nothing_is_an_error(names: NameServer, resolver: Resolver, target: str):
    names.zone["host.vendor.example", "A"] = ["192.0.2.1"]
    names.zone[NAME, "CNAME"] = [f"{target}."]
    assert find(resolver).error == f"it leads to {target}, where there is no key"


def test_two_keys_are_an_error_and_other_texts_are_not(names: NameServer, resolver: Resolver):
    names.zone[NAME, "TXT"] = [text(f"p={RSA}"), text("a note")]
    assert find(resolver).error is None
    other = Resolver(*_address(names))
    names.zone[NAME, "TXT"] = [text(f"p={RSA}"), text(f"p={rsa_key(1024)}")]
    assert "there are 2 keys" in (find(other).error or "")


def _address(names: NameServer) -> tuple[str, int]:
    host, port = names.server_address[:2]
    return str(host), int(port)


def test_where_nothing_stands_nothing_is_published(names: NameServer, resolver: Resolver):
    assert find(resolver) == Key(NAME, False)
    names.zone[f"x.{NAME}", "TXT"] = [text("so that the name itself exists, empty")]
    assert find(Resolver(*_address(names))) == Key(NAME, False)
