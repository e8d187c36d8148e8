"""Who really sent a webhook: one function a scheme, bytes in, bool out. Malformed is just False."""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Iterable
from typing import Any

TOLERANCE = 300  # seconds a signature stays valid, in both directions


def verify_stripe_signature(payload: bytes, signature: str, secret: str) -> bool:
    """Whether `Stripe-Signature` was made over `payload` with the endpoint's secret, just now.

    Every `v1` counts, because Stripe signs with old and new secret while one is rolled; other
    schemes are ignored (`v0` is a fake). The whole secret is the key, `whsec_` included.
    (docs.stripe.com/webhooks, "Verify webhook signatures manually")
    """
    items = [item.partition("=") for item in signature.split(",")]
    times = [value for name, _, value in items if name == "t"]
    if not secret.strip() or len(times) != 1 or not _is_fresh(times[0]):
        return False
    expected = stripe_digest(payload, times[0], secret).hex()
    return _any_equal(expected, (value for name, _, value in items if name == "v1"))


def stripe_digest(payload: bytes, timestamp: str, secret: str) -> bytes:
    """What Stripe signs, signed."""
    return _hmac(secret.encode(), timestamp.encode() + b"." + payload)


def verify_svix_signature(
    payload: bytes, message_id: str, timestamp: str, signature: str, secret: str
) -> bool:
    """Whether Resend's three `svix-` headers were made over `payload` with its secret, just now.

    The key is what `whsec_` is followed by, base64-decoded: the opposite of Stripe's. Any `v1`
    entry counts; other versions are ignored. (resend.com/docs/dashboard/webhooks, docs.svix.com)
    """
    key = svix_key(secret)
    if not key or not message_id or not _is_fresh(timestamp):
        return False
    expected = base64.b64encode(svix_digest(payload, message_id, timestamp, key)).decode()
    entries = (entry.partition(",") for entry in signature.split(" "))
    return _any_equal(expected, (value for version, _, value in entries if version == "v1"))


def svix_key(secret: str) -> bytes:
    """The bytes of a `whsec_…` secret, padded or not; empty if it is not base64."""
    text = secret.strip().removeprefix("whsec_").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return b""


def svix_digest(payload: bytes, message_id: str, timestamp: str, key: bytes) -> bytes:
    """What Svix signs, signed."""
    signed = f"{message_id}.{timestamp}.".encode("utf-8", "replace") + payload
    return _hmac(key, signed)


def verify_sequenzy_signature(payload: bytes, timestamp: str, signature: str, secret: str) -> bool:
    """Whether `X-Sequenzy-Signature` was made over `payload` with the secret, just now.

    Any `v1` counts. The encoding is not documented, so hex and base64 of the same digest are both
    taken, which weakens nothing. (docs.sequenzy.com/integrations/outbound-webhooks)
    """
    if not secret.strip() or not _is_fresh(timestamp):
        return False
    digest = sequenzy_digest(payload, timestamp, secret)
    items = (item.strip().partition("=") for item in signature.split(","))
    given = [value for name, _, value in items if name == "v1"]
    in_base64 = base64.b64encode(digest).decode()
    return _any_equal(digest.hex(), given) or _any_equal(in_base64, given)


def sequenzy_digest(payload: bytes, timestamp: str, secret: str) -> bytes:
    """What Sequenzy signs, signed: the whole secret is the key, `whsec_` included."""
    return _hmac(secret.encode(), b"v1:" + timestamp.encode() + b":" + payload)


def verify_sendgrid_signature(
    payload: bytes,
    timestamp: str,
    signature: str,
    public_key: str,
    max_age: float | None = None,
) -> bool:
    """Whether SendGrid's signed event webhook made `signature` over `payload` (ECDSA, P-256).

    `public_key` is the base64 text of its settings page. With `max_age` (seconds) older ones are
    refused; the default takes any age, because it is not documented whether the retries of a day
    are signed anew. (docs.sendgrid.com, Event Webhook Security Features)
    """
    # Only here: cryptography costs 50 ms to import, and nothing else needs it at start.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    if not _is_time(timestamp) or (max_age and time.time() - int(timestamp) > max_age):
        return False
    key = _elliptic_key(public_key)
    if key is None:
        return False
    try:
        der = base64.b64decode(signature, validate=True)
        key.verify(der, timestamp.encode() + payload, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def is_sendgrid_key(public_key: str) -> bool:
    """Whether `public_key` can be SendGrid's: base64 of a public key on the curve P-256."""
    key = _elliptic_key(public_key)
    return key is not None and key.curve.name == "secp256r1"


def _elliptic_key(public_key: str) -> Any:
    # None for anything else. Typed loosely, as the type would have to be imported.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
    except (UnsupportedAlgorithm, binascii.Error, ValueError):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _any_equal(expected: str, given: Iterable[str]) -> bool:
    # As bytes: compare_digest raises for text beyond ASCII.
    wanted = expected.encode()
    return any(hmac.compare_digest(wanted, each.encode("utf-8", "replace")) for each in given)


def _is_time(timestamp: str) -> bool:
    # Plain digits only: int() would also take "+1", "01", "1_0" and other alphabets' digits.
    return re.fullmatch("[1-9][0-9]{0,11}", timestamp) is not None


def _is_fresh(timestamp: str) -> bool:
    return _is_time(timestamp) and abs(time.time() - int(timestamp)) <= TOLERANCE
