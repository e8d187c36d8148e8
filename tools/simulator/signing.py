"""The vendors' three ways to sign a webhook: the bytes of the body in, the headers out.

`timestamp` is in unix seconds. With several secrets, as while one is rolled, each signs.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256


def svix_headers(
    secrets: Sequence[str], event_id: str, body: bytes, timestamp: int
) -> dict[str, str]:
    """Svix, for Resend: the key is what stands in base64 behind `whsec_`."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    keys = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    digests = [base64.b64encode(_hmac(key, signed).digest()).decode() for key in keys]
    return {
        "svix-id": event_id,
        "svix-timestamp": str(timestamp),
        "svix-signature": " ".join(f"v1,{digest}" for digest in digests),
    }


def sequenzy_headers(secrets: Sequence[str], body: bytes, timestamp: int) -> dict[str, str]:
    """Sequenzy: the whole secret is the key, and the digest is hexadecimal."""
    signed = f"v1:{timestamp}:".encode() + body
    digests = [_hmac(secret.encode(), signed).hexdigest() for secret in secrets]
    return {
        "X-Sequenzy-Timestamp": str(timestamp),
        "X-Sequenzy-Signature": ",".join(f"v1={digest}" for digest in digests),
    }


def sendgrid_headers(
    key: ec.EllipticCurvePrivateKey, body: bytes, timestamp: int
) -> dict[str, str]:
    """SendGrid: ECDSA over timestamp and body, with nothing between them."""
    signature = key.sign(str(timestamp).encode() + body, ec.ECDSA(SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Timestamp": str(timestamp),
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
    }


def _hmac(key: bytes, signed: bytes) -> hmac.HMAC:
    return hmac.new(key, signed, hashlib.sha256)
