"""DKIM keys in DNS (RFC 6376, 8301 and 8463): there, in force, and strong enough."""

import base64
import binascii

from attrs import frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cli.doctor.resolver import Resolver

WEAKEST = 1024  # bits of RSA; receivers take no signature of a shorter key


@frozen
class Key:
    """What stands at a selector. `error` says why it cannot be used; None if it can."""

    name: str
    published: bool
    error: str | None = None


def find_key(resolver: Resolver, domain: str, selector: str) -> Key:
    """The key of `selector`. Raises `DnsError` if it cannot be looked up."""
    name = f"{selector}._domainkey.{domain}"
    answer = resolver.ask(name, "TXT")
    keys = [text for text in answer.values if "p" in _tags(text)]
    if len(keys) == 1:
        return Key(name, True, _error(_tags(keys[0])))
    if keys:
        return Key(name, True, f"there are {len(keys)} keys, and receivers may take either")
    if answer.values:
        return Key(name, True, "its TXT record holds no p=, so it is no key")
    if answer.alias:
        return Key(name, True, f"it leads to {answer.alias}, where there is no key")
    return Key(name, False)


def _tags(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip(): "".join(value.split()) for name, _, value in parts}


def _error(tags: dict[str, str]) -> str | None:
    if tags.get("v", "DKIM1") != "DKIM1":
        return f"it begins with v={tags['v']} and not with v=DKIM1"
    if not tags["p"]:
        return "its p= is empty: the key is revoked"
    kind = tags.get("k", "rsa")
    try:
        raw = base64.b64decode(tags["p"], validate=True)
    except binascii.Error:
        return "its p= is no base64; quotes or a lost part of a long record do that"
    if kind == "rsa":
        return _rsa_error(raw)
    if kind == "ed25519":
        return None if len(raw) == 32 else f"its p= has {len(raw)} bytes; an Ed25519 key has 32"
    return f"its k={kind} is no kind of key that receivers know"


def _rsa_error(der: bytes) -> str | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return "its p= is no RSA key; a lost part of a long record does that"
    if not isinstance(key, RSAPublicKey):
        return "its p= is no RSA key"
    if key.key_size < WEAKEST:
        return f"its RSA key has {key.key_size} bits, and receivers want {WEAKEST} or more"
    return None
