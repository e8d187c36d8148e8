"""DKIM keys and webhook secrets: the same in every run, since they are part of test names."""

import base64

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SVIX = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
OTHER_SVIX = "whsec_YW5vdGhlci1zZWNyZXQtYWx0b2dldGhlcg=="


def public(key: PublicKeyTypes) -> str:
    """A public key in DER, as base64."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def rsa_key(bits: int) -> str:
    """An RSA public key of this size; nobody has the private one."""
    return public(rsa.RSAPublicNumbers(65537, 2 ** (bits - 1) + 12345).public_key())


P256 = public(ec.derive_private_key(7, ec.SECP256R1()).public_key())
P384 = public(ec.derive_private_key(7, ec.SECP384R1()).public_key())
ED25519 = base64.b64encode(
    ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
).decode()
RSA = rsa_key(2048)
